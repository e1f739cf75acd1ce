# df_embed_texts(TARGET t VARIABLE v FILES a.json …): compiles small text files into TARGET, so that the installed program needs no
# path to them. The sources declare   namespace domainfusion { extern const std::vector<std::pair<std::string_view, std::string_view>> v; }
# with (file name, content) in the given order.
function(df_embed_texts)
  cmake_parse_arguments(A "" "TARGET;VARIABLE" "FILES" ${ARGN})
  set(entries "")
  foreach(file ${A_FILES})
    get_filename_component(name ${file} NAME)
    file(READ ${file} content)
    string(APPEND entries "    {\"${name}\", R\"embedded(${content})embedded\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${A_VARIABLE}.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[// Generated at configure time from the files it names.
#include <string_view>
#include <utility>
#include <vector>

namespace domainfusion {

extern const std::vector<std::pair<std::string_view, std::string_view>> @A_VARIABLE@;
const std::vector<std::pair<std::string_view, std::string_view>> @A_VARIABLE@{
@entries@};

}  // namespace domainfusion
]])
  target_sources(${A_TARGET} PRIVATE ${source})
endfunction()
