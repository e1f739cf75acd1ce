#pragma once
// Rows of pictures with captions: what a stage of the method made, side by side.

#include <filesystem>
#include <string>
#include <vector>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

struct PictureGridCell {
  Image image;          // of 0 x 0 px: an empty cell
  std::string caption;  // below the picture; cut with ".." where it is wider than the cell
};

struct PictureGridRow {
  std::string caption;  // to the left of the row
  std::vector<PictureGridCell> cells;
};

struct PictureGrid {
  std::string title;                         // above everything
  std::vector<std::string> column_captions;  // above the columns; may be shorter than the rows
  std::vector<PictureGridRow> rows;          // of any lengths
  int scale = 2;                             // every image pixel becomes scale x scale pixels (1 … 16)
  int gap_px = 4;                            // between cells (0 … 64)
};

// White paper, all cells as large as the largest image, smaller images centred. Empty titles and captions take no room.
// ShapeError if there is no image at all, if an image's bytes do not fit its size, or if the picture would exceed
// kMaxImagePixels; ConfigError if scale or gap_px is out of range.
Image render_picture_grid(const PictureGrid& grid);

// render_picture_grid into a PNG. IoError that names the path.
void write_picture_grid(const std::filesystem::path& path, const PictureGrid& grid);

// Images below one another, aligned left, on white. ShapeError if there is none.
Image stack_images(const std::vector<Image>& images, int gap_px = 8);

}  // namespace domainfusion
