# docker build -f docker/cuda.Dockerfile --build-arg LIBTORCH_URL=… -t domainfusion:cuda .
# docker run --rm --gpus all --ipc=host -v "$PWD:/work" domainfusion:cuda train --data data --test-domain sketch --out runs/one
#
# LIBTORCH_URL: a zip of libtorch (C++11 ABI, shared, with its dependencies) for this CUDA, from pytorch.org.
ARG CUDA=12.4.1
FROM nvidia/cuda:${CUDA}-devel-ubuntu24.04 AS build
ARG LIBTORCH_URL
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    g++ cmake ninja-build pkg-config curl ca-certificates unzip libfmt-dev libspdlog-dev nlohmann-json3-dev libcli11-dev libtomlplusplus-dev \
    libjpeg-dev libpng-dev libwebp-dev libssl-dev libxxhash-dev libutf8proc-dev libcurl4-openssl-dev libarchive-dev
RUN curl -fsSL "$LIBTORCH_URL" -o /tmp/libtorch.zip && unzip -q /tmp/libtorch.zip -d /opt && rm /tmp/libtorch.zip
WORKDIR /source
COPY . .
RUN LIBTORCH=/opt/libtorch cmake --preset upstream -DDOMAINFUSION_TESTS=OFF -DTORCH_CUDA_ARCH_LIST="7.5;8.0;8.6;9.0" \
    && cmake --build --preset upstream && cmake --install build/upstream --prefix /usr/local --component runtime

FROM nvidia/cuda:${CUDA}-runtime-ubuntu24.04
RUN apt-get update -q && apt-get install -q -y --no-install-recommends libarchive13t64 libcurl4t64 libfmt9 libgomp1 libjpeg-turbo8 \
    libpng16-16t64 libspdlog1.12 libssl3t64 libutf8proc3 libwebp7 libwebpdemux2 libxxhash0 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/libtorch/lib /opt/libtorch/lib
COPY --from=build /usr/local/bin /usr/local/bin
COPY --from=build /usr/local/libexec /usr/local/libexec
COPY --from=build /usr/local/share/domainfusion /usr/local/share/domainfusion
WORKDIR /work
ENTRYPOINT ["domainfusion"]
