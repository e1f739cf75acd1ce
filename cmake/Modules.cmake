# df_module(NAME x [TORCH] [HOT] SOURCES a.cpp … [PUBLIC other modules] [PRIVATE libraries])
# One static library per room. TORCH modules compile with a shared precompiled header; the others never see libtorch.
# HOT: what loops over numbers itself is compiled at -O3, and without the precompiled header, which has other flags: such files name
# narrow headers (ATen/core/Tensor.h, single operations). The rest decides, reads, prints and calls libtorch: at -O1 it runs as fast,
# and compiles in half the time.
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG")

add_library(df_pch OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(df_pch PRIVATE df_torch_base)
target_precompile_headers(df_pch PRIVATE <torch/types.h> <torch/nn/module.h> <fmt/format.h> <nlohmann/json.hpp>)

function(df_module)
  cmake_parse_arguments(A "TORCH;HOT" "NAME" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(df_${A_NAME} STATIC ${A_SOURCES})
  add_library(domainfusion::${A_NAME} ALIAS df_${A_NAME})
  list(TRANSFORM A_PUBLIC PREPEND df_)
  target_link_libraries(df_${A_NAME} PUBLIC ${A_PUBLIC} PRIVATE ${A_PRIVATE})
  if(A_TORCH)
    target_link_libraries(df_${A_NAME} PUBLIC df_torch_base)
  else()
    target_link_libraries(df_${A_NAME} PUBLIC df_base)
  endif()
  if(A_HOT)
    target_compile_options(df_${A_NAME} PRIVATE $<$<CONFIG:Release>:-O3>)
  elseif(A_TORCH)
    target_precompile_headers(df_${A_NAME} REUSE_FROM df_pch)
  endif()
endfunction()

if(DOMAINFUSION_TESTS)
  find_package(GTest REQUIRED)
  add_library(df_test_base INTERFACE)
  target_link_libraries(df_test_base INTERFACE GTest::gtest GTest::gtest_main)
  target_include_directories(df_test_base INTERFACE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(df_test_base INTERFACE DOMAINFUSION_TEST_DIR="${PROJECT_SOURCE_DIR}/tests")
  # A program, not a library: position-independent executables compile with other flags.
  add_executable(df_test_pch EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
  target_link_libraries(df_test_pch PRIVATE df_torch_base df_test_base)
  target_precompile_headers(df_test_pch PRIVATE <torch/types.h> <torch/nn/module.h> <fmt/format.h> <nlohmann/json.hpp> <gtest/gtest.h>)
endif()

# df_test(NAME x [TORCH] [PARITY] SOURCES a.cpp … MODULES core io … [PRIVATE libraries]): one test program per room. Its files are one
# unit, so names in anonymous namespaces are unique within it.
function(df_test)
  cmake_parse_arguments(A "TORCH;PARITY" "NAME" "SOURCES;MODULES;PRIVATE" ${ARGN})
  add_executable(test_${A_NAME} ${A_SOURCES})
  list(TRANSFORM A_MODULES PREPEND df_)
  target_link_libraries(test_${A_NAME} PRIVATE ${A_MODULES} ${A_PRIVATE} df_test_base)
  if(A_TORCH)
    target_link_libraries(test_${A_NAME} PRIVATE df_torch_base)
    target_precompile_headers(test_${A_NAME} REUSE_FROM df_test_pch)
  endif()
  add_test(NAME ${A_NAME} COMMAND test_${A_NAME})
  set_tests_properties(${A_NAME} PROPERTIES ENVIRONMENT XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/test_caches)
  if(A_PARITY)
    set_tests_properties(${A_NAME} PROPERTIES LABELS parity)
  endif()
endfunction()
