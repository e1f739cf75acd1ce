# Every library the project uses, found once.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header is only cacheable when time stamps and its macros are left out of the comparison.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenMP REQUIRED)
find_package(Torch REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
find_path(NLOHMANN_JSON_INCLUDE nlohmann/json.hpp REQUIRED)
find_path(CLI11_INCLUDE CLI/CLI.hpp REQUIRED)

# What every target of the project compiles with; one set of flags, so that the precompiled header fits all.
add_library(df_base INTERFACE)
target_include_directories(df_base INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_include_directories(df_base SYSTEM INTERFACE ${NLOHMANN_JSON_INCLUDE})
target_link_libraries(df_base INTERFACE fmt::fmt spdlog::spdlog Threads::Threads)
target_compile_options(df_base INTERFACE -Wall -Wextra -Wno-unused-parameter)
if(DOMAINFUSION_SANITIZE)
  target_compile_options(df_base INTERFACE -fsanitize=${DOMAINFUSION_SANITIZE} -fno-omit-frame-pointer -g)
  target_link_options(df_base INTERFACE -fsanitize=${DOMAINFUSION_SANITIZE})
endif()

add_library(df_torch_base INTERFACE)
target_include_directories(df_torch_base SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(df_torch_base INTERFACE df_base ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX)
