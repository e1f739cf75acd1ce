# What `cmake --install` puts where, and the Debian packages that `cpack` makes of it: component runtime (program, recipes, assets,
# manual pages, completions) and component development (libraries, headers, the CMake package).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS domainfusion COMPONENT runtime)
install(TARGETS domainfusion_whole DESTINATION libexec/domainfusion COMPONENT runtime)
install(DIRECTORY recipes assets DESTINATION ${CMAKE_INSTALL_DATADIR}/domainfusion COMPONENT runtime)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT runtime)

# The program writes its own manual, and the help that is answered without starting it. Each shell looks in a folder of its own.
set(manual ${PROJECT_BINARY_DIR}/manual)
set(help ${PROJECT_BINARY_DIR}/share/domainfusion/help)
add_custom_command(
  OUTPUT ${manual}/written
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${help}
  COMMAND domainfusion_whole manual ${manual}/man1 --help-texts ${help}
  COMMAND domainfusion_whole completions bash > ${manual}/domainfusion
  COMMAND domainfusion_whole completions zsh > ${manual}/_domainfusion
  COMMAND domainfusion_whole completions fish > ${manual}/domainfusion.fish
  COMMAND ${CMAKE_COMMAND} -E touch ${manual}/written
  DEPENDS domainfusion_whole
  COMMENT "Writing manual pages and completions")
add_custom_target(df_manual ALL DEPENDS ${manual}/written)
install(DIRECTORY ${help} DESTINATION ${CMAKE_INSTALL_DATADIR}/domainfusion COMPONENT runtime)
install(DIRECTORY ${manual}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT runtime)
install(FILES ${manual}/domainfusion DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT runtime)
install(FILES ${manual}/_domainfusion DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT runtime)
install(FILES ${manual}/domainfusion.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT runtime)

# find_package(DomainFusion): a target for each room, domainfusion::diffusion and so on.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/DomainFusion)
set_target_properties(df_base PROPERTIES EXPORT_NAME base)
set_target_properties(df_torch_base PROPERTIES EXPORT_NAME torch_base)
install(TARGETS df_base df_torch_base EXPORT DomainFusion COMPONENT development)
install(EXPORT DomainFusion NAMESPACE domainfusion:: DESTINATION ${package_folder} FILE DomainFusionTargets.cmake COMPONENT development)
install(DIRECTORY src/domainfusion DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h")
configure_package_config_file(cmake/DomainFusionConfig.cmake.in ${PROJECT_BINARY_DIR}/DomainFusionConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/DomainFusionConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/DomainFusionConfig.cmake ${PROJECT_BINARY_DIR}/DomainFusionConfigVersion.cmake
        DESTINATION ${package_folder} COMPONENT development)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME domainfusion)
set(CPACK_PACKAGE_CONTACT "DomainFusion's maintainers <maintainers@domainfusion.invalid>")
set(CPACK_PACKAGE_DESCRIPTION "Trains image classifiers that hold up on domains that they never saw, with a frozen latent diffusion model, \
and compares them by DomainBed's protocol.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME domainfusion)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS libopenblas0-openmp)  # libtorch is content with the reference BLAS, 30 times slower
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libdomainfusion-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "domainfusion, libtorch-dev, libopenblas0-openmp, libfmt-dev, libspdlog-dev, nlohmann-json3-dev, libjpeg-dev, libpng-dev, libwebp-dev, \
libssl-dev, libxxhash-dev, libutf8proc-dev, libcurl4-openssl-dev, libarchive-dev")
include(CPack)
