#include "domainfusion/report/procedural_sheet.h"

#include "domainfusion/core/error.h"
#include "domainfusion/data/procedural/procedural_objects.h"
#include "domainfusion/report/picture_grid.h"

namespace domainfusion {

Image procedural_sheet(std::int64_t seed, int images_per_class, std::int64_t first_index, int scale, bool with_styles) {
  check<ConfigError>(images_per_class >= 1 && images_per_class <= 20,
                     "sheet of the embedded set: {} images per class; expected 1 … 20", images_per_class);
  PictureGrid grid;
  grid.scale = scale;
  grid.column_captions = procedural_class_names();
  const auto domains = with_styles ? procedural_style_names() : procedural_domain_names();
  for (int row = 0; row < static_cast<int>(domains.size()) * images_per_class; ++row) {
    const int domain = row / images_per_class, index = row % images_per_class;
    grid.rows.push_back({index == 0 ? domains[domain] : "", {}});
    for (int label = 0; label < static_cast<int>(grid.column_captions.size()); ++label) {
      grid.rows.back().cells.push_back({procedural_object(seed, domain, label, first_index + index), ""});
    }
  }
  return render_picture_grid(grid);
}

}  // namespace domainfusion
