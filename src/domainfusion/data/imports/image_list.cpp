#include "domainfusion/data/imports/image_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using Row = std::vector<std::string>;

// Of comma-separated text, by RFC 4180: quoted fields may hold commas, line ends and doubled quotes. Empty lines are
// passed over; each row comes with its line's number.
std::vector<std::pair<std::int64_t, Row>> rows_of_csv(const std::string& text) {
  std::vector<std::pair<std::int64_t, Row>> rows;
  Row row{""};
  std::int64_t line = 1, first_line = 1;
  bool quoted = false;
  const auto finish = [&] {
    if (row.size() > 1 || !row.front().empty()) rows.emplace_back(first_line, row);
    row = {""};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') {
        row.back() += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        row.back() += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"' && row.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      row.emplace_back();
    } else if (c == '\n') {
      finish();
      first_line = line;
    } else if (c != '\r') {
      row.back() += c;
    }
  }
  check<FormatError>(!quoted, "a quoted field that begins in line {} has no end", first_line);
  finish();
  return rows;
}

std::optional<std::size_t> column_of(const Row& header, const std::string& name) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header.begin());
}

std::size_t needed_column(const Row& header, const std::string& name) {
  const auto column = column_of(header, name);
  check<FormatError>(
      column.has_value(),
      "no column '{}' in its first line ({}); expected path, label, domain and, if there are splits, split", name,
      fmt::join(header, ", "));
  return *column;
}

bool can_be_a_folder(const std::string& name) {
  return !name.empty() && !name.starts_with('.') && name.find('/') == name.npos && name.find('\0') == name.npos &&
         name.size() <= 200;
}

}  // namespace

ImportedList import_image_list(const fs::path& list, const fs::path& out, const std::vector<std::string>& splits) {
  check<IoError>(!fs::exists(out), "'{}' is there already: name a new folder", out.string());
  return with_context(fmt::format("'{}'", list.string()), [&] {
    const auto rows = rows_of_csv(read_file(list));
    check<FormatError>(rows.size() >= 2, "no row behind the line that names the columns");
    const Row& header = rows.front().second;
    const std::size_t path = needed_column(header, "path"), label = needed_column(header, "label"),
                      domain = needed_column(header, "domain");
    const auto split = column_of(header, "split");
    check<ConfigError>(splits.empty() || split.has_value(), "splits are chosen, and the list has no column 'split'");
    struct Link {
      fs::path image, place;
    };
    ImportedList imported;
    std::vector<Link> links;
    std::set<std::string> known_splits;
    for (std::size_t i = 1; i < rows.size(); ++i) {
      const auto& [line, row] = rows[i];
      check<FormatError>(row.size() == header.size(), "line {} has {} fields; its first line names {}", line,
                         row.size(), header.size());
      if (split) known_splits.insert(row[*split]);
      if (!splits.empty() && std::find(splits.begin(), splits.end(), row[*split]) == splits.end()) {
        ++imported.of_other_splits;
        continue;
      }
      for (const std::size_t name : {label, domain}) {
        check<FormatError>(can_be_a_folder(row[name]), "line {}: '{}' cannot be the name of a folder", line, row[name]);
      }
      const fs::path image = fs::absolute(list.parent_path() / row[path]);  // an absolute path stays what it is
      check<IoError>(fs::is_regular_file(image), "line {}: there is no file '{}'", line, image.string());
      links.push_back(
          {image, out / row[domain] / row[label] / fmt::format("{:09}_{}", i - 1, image.filename().string())});
    }
    check<ConfigError>(!links.empty(), "no row of the splits {}; the list has {}", fmt::join(splits, ", "),
                       fmt::join(known_splits, ", "));
    // All rows were read before anything is made.
    for (const Link& link : links) {
      fs::create_directories(link.place.parent_path());
      fs::create_symlink(link.image, link.place);
    }
    imported.images = std::ssize(links);
    return imported;
  });
}

}  // namespace domainfusion
