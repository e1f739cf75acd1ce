#include "domainfusion/report/picture_grid.h"

#include <algorithm>
#include <cstddef>

#include "domainfusion/core/error.h"
#include "domainfusion/report/canvas.h"
#include "domainfusion/report/pixel_font.h"

namespace domainfusion {
namespace {

constexpr int kLineHeightPx = kGlyphHeightPx + 4;
constexpr int kMarginPx = 6;
constexpr int kTitleScale = 2;

struct Layout {
  int columns = 0, cell_width = 0, cell_height = 0;
  int left = 0, top = 0, pitch_x = 0, pitch_y = 0;
  int width = 0, height = 0;
  bool cell_captions = false;
};

void check_grid(const PictureGrid& grid) {
  check<ConfigError>(grid.scale >= 1 && grid.scale <= 16, "picture grid: scale {}; expected 1 … 16", grid.scale);
  check<ConfigError>(grid.gap_px >= 0 && grid.gap_px <= 64, "picture grid: gap of {} px; expected 0 … 64", grid.gap_px);
  for (const PictureGridRow& row : grid.rows) {
    for (const PictureGridCell& cell : row.cells) {
      const Image& image = cell.image;
      check<ShapeError>(image.height >= 0 && image.width >= 0 &&
                            image.rgb.size() == 3 * std::size_t(image.height) * std::size_t(image.width),
                        "picture grid, row '{}': an image of {}x{} px holds {} bytes; expected 3 per pixel",
                        row.caption, image.width, image.height, image.rgb.size());
    }
  }
}

void measure_cells(const PictureGrid& grid, Layout& layout) {
  for (const PictureGridRow& row : grid.rows) {
    layout.columns = std::max(layout.columns, static_cast<int>(row.cells.size()));
    for (const PictureGridCell& cell : row.cells) {
      layout.cell_width = std::max(layout.cell_width, cell.image.width * grid.scale);
      layout.cell_height = std::max(layout.cell_height, cell.image.height * grid.scale);
      layout.cell_captions |= !cell.caption.empty();
    }
  }
  check<ShapeError>(layout.cell_width > 0 && layout.cell_height > 0,
                    "picture grid '{}': no image in any of its {} rows; give it at least one", grid.title,
                    grid.rows.size());
}

Layout layout_of(const PictureGrid& grid) {
  Layout layout;
  measure_cells(grid, layout);
  int row_caption = 0;
  for (const PictureGridRow& row : grid.rows) row_caption = std::max(row_caption, text_width_px(row.caption));
  layout.left = kMarginPx + (row_caption > 0 ? row_caption + kMarginPx : 0);
  layout.top = kMarginPx + (grid.title.empty() ? 0 : kTitleScale * kLineHeightPx) +
               (grid.column_captions.empty() ? 0 : kLineHeightPx);
  layout.pitch_x = layout.cell_width + grid.gap_px;
  layout.pitch_y = layout.cell_height + grid.gap_px + (layout.cell_captions ? kLineHeightPx : 0);
  layout.width = std::max(layout.left + layout.columns * layout.pitch_x - grid.gap_px,
                          kMarginPx + text_width_px(grid.title, kTitleScale)) +
                 kMarginPx;
  layout.height = layout.top + static_cast<int>(grid.rows.size()) * layout.pitch_y - grid.gap_px + kMarginPx;
  return layout;
}

std::string shortened(const std::string& text, int width_px) {
  if (text_width_px(text) <= width_px) return text;
  const std::size_t room = static_cast<std::size_t>(std::max(width_px / kGlyphAdvancePx - 2, 0));
  return text.substr(0, room) + "..";
}

void draw_centred(Image& page, const std::string& text, int x, int y, int width) {
  const std::string line = shortened(text, width);
  draw_text(page, line, x + (width - text_width_px(line)) / 2, y);
}

void draw_row(Image& page, const PictureGridRow& row, const Layout& layout, int y, int scale) {
  draw_text(page, row.caption, kMarginPx, y + (layout.cell_height - kGlyphHeightPx) / 2);
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const Image& image = row.cells[i].image;
    const int x = layout.left + static_cast<int>(i) * layout.pitch_x;
    paste(page, image, x + (layout.cell_width - image.width * scale) / 2,
          y + (layout.cell_height - image.height * scale) / 2, scale);
    draw_centred(page, row.cells[i].caption, x, y + layout.cell_height + 2, layout.cell_width);
  }
}

}  // namespace

Image render_picture_grid(const PictureGrid& grid) {
  check_grid(grid);
  const Layout layout = layout_of(grid);
  Image page = blank_image(layout.width, layout.height);
  draw_text(page, grid.title, kMarginPx, kMarginPx, kBlack, kTitleScale);
  for (std::size_t i = 0; i < grid.column_captions.size() && i < static_cast<std::size_t>(layout.columns); ++i) {
    draw_centred(page, grid.column_captions[i], layout.left + static_cast<int>(i) * layout.pitch_x,
                 layout.top - kLineHeightPx + 1, layout.cell_width);
  }
  for (std::size_t i = 0; i < grid.rows.size(); ++i) {
    draw_row(page, grid.rows[i], layout, layout.top + static_cast<int>(i) * layout.pitch_y, grid.scale);
  }
  return page;
}

void write_picture_grid(const std::filesystem::path& path, const PictureGrid& grid) {
  write_png(path, render_picture_grid(grid));
}

Image stack_images(const std::vector<Image>& images, int gap_px) {
  check<ShapeError>(!images.empty(), "stacked picture: no image; give it at least one");
  int width = 0, height = -gap_px;
  for (const Image& image : images) {
    width = std::max(width, image.width);
    height += image.height + gap_px;
  }
  Image page = blank_image(width, height);
  int y = 0;
  for (const Image& image : images) {
    paste(page, image, 0, y);
    y += image.height + gap_px;
  }
  return page;
}

}  // namespace domainfusion
