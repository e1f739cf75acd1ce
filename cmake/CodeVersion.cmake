# cmake -DSOURCE_DIR=… -DVERSION=… -DOUTPUT=… -P CodeVersion.cmake: writes the source behind core/code_version.h, when it changes.
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE
                ERROR_QUIET RESULT_VARIABLE failed)
set(version "${VERSION}")
if(NOT failed)
  execute_process(COMMAND git -C ${SOURCE_DIR} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes ERROR_QUIET)
  if(changes)
    set(commit "${commit}, changed")
  endif()
  set(version "${VERSION} (commit ${commit})")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[#include "domainfusion/core/code_version.h"

namespace domainfusion {

const std::string& code_version() {
  static const std::string version = "@version@";
  return version;
}

}  // namespace domainfusion
]])
