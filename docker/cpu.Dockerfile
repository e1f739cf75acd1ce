# docker build -f docker/cpu.Dockerfile -t domainfusion .
# docker run --rm -v "$PWD:/work" domainfusion train --data data --test-domain sketch --out runs/one
FROM debian:12-slim AS build
WORKDIR /source
COPY . .
RUN scripts/bootstrap && cmake --preset release -DDOMAINFUSION_TESTS=OFF && scripts/build release && cd build/release && cpack -G DEB

FROM debian:12-slim
COPY --from=build /source/build/release/domainfusion_*.deb /tmp/
RUN apt-get update -q && apt-get install -q -y --no-install-recommends /tmp/domainfusion_*.deb && rm -rf /tmp/*.deb /var/lib/apt/lists/*
WORKDIR /work
ENTRYPOINT ["domainfusion"]
