#pragma once
// Lists of images, as WILDS keeps its sets: a CSV file with a line for each image, made into a folder that is a set
// like any other.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace domainfusion {

struct ImportedList {
  std::int64_t images = 0;
  std::int64_t of_other_splits = 0;  // rows that were left out
};

// Makes <out>/<domain>/<label>/ with links to the images. The first line names the columns: path (relative to the
// list's folder, or whole), label, domain, and, where there is one, split; others are passed over. Fields may stand in
// double quotes. splits: those whose rows are taken; empty: all. Links are named by row, then as the file, so that
// their order is that of the list. IoError: the list or an image is missing, `out` is there already; FormatError that
// names the line for a row without a field, or with a label or domain that can be no folder's name.
ImportedList import_image_list(const std::filesystem::path& list, const std::filesystem::path& out,
                               const std::vector<std::string>& splits = {});

}  // namespace domainfusion
