#pragma once
// The pictures of a page: small, each once, and no more than fit.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

class ReportPictures {
 public:
  // budget_bytes: of their files as the page holds them, in base64.
  explicit ReportPictures(double budget_bytes) : left_bytes_(budget_bytes) {}

  // Place of a picture in "pictures"; nothing where it does not fit any more, which is counted for `section`. `name`
  // tells pictures apart: one that is there already is not added again. Pictures are shrunk to `side_px`. `read` throws
  // what it throws.
  template <class Read>
  std::optional<std::int64_t> add(const std::string& section, const std::string& name, int side_px, Read read) {
    if (const auto known = places_.find(name); known != places_.end()) return known->second;
    if (left_bytes_ > 0) {
      if (const auto place = add_file(file_of(read(), side_px))) return places_[name] = *place;
    }
    ++left_out_[section];
    return std::nullopt;
  }

  // For what the page says beside pictures.
  void spend(double bytes) { left_bytes_ -= bytes; }

  // Data URIs, in order.
  const nlohmann::json& files() const { return files_; }
  // By section, how many did not fit.
  const std::map<std::string, std::int64_t>& left_out() const { return left_out_; }

 private:
  static std::string file_of(const Image& image, int side_px);
  std::optional<std::int64_t> add_file(const std::string& file);

  double left_bytes_;
  nlohmann::json files_ = nlohmann::json::array();
  std::map<std::string, std::int64_t> places_, left_out_;
};

// RFC 4648, with padding.
std::string base64_of(std::string_view bytes);

}  // namespace domainfusion
