#include "domainfusion/augmentation/candidates/candidate_store.h"

#include <ATen/ATen.h>

#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using State = CandidateStore::State;

constexpr const char* kProvenance = ".json";
constexpr const char* kImage = ".png";
constexpr const char* kLatents = ".safetensors";

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  check<IoError>(!error, "the folder '{}' of a candidate store cannot be made: {}", folder.string(), error.message());
}

std::string lost(const fs::path& path) {
  return fmt::format(
      "candidate store ('{}' is lost or broken; start the run again, or with --resume, and it is made anew)",
      path.string());
}

}  // namespace

State state_of_entry(const fs::path& path) {
  if (!fs::exists(path)) return State::kAbsent;
  try {
    const json provenance = parse_json(read_file(path));
    if (sha256_hex(json_text(provenance.at("key"))) != path.stem().string()) return State::kBroken;
    if (provenance.contains("failure")) return State::kFailed;
    const fs::path file = provenance.at("file").get<std::string>();
    if (file.stem() != path.stem() || file.has_parent_path()) return State::kBroken;
    return sha256_hex_of_file(path.parent_path() / file) == provenance.at("sha256") ? State::kGood : State::kBroken;
  } catch (const json::exception&) {
    return State::kBroken;
  } catch (const Error&) {
    return State::kBroken;
  }
}

CandidateStore::CandidateStore(fs::path folder) : folder_(std::move(folder)) {
  check<IoError>(!fs::exists(folder_) || fs::is_directory(folder_),
                 "'{}' is a file; a candidate store is a folder: choose another path", folder_.string());
  make_folder(folder_);
}

fs::path CandidateStore::path(const std::string& hash, const std::string& ending) const {
  return folder_ / hash.substr(0, 2) / (hash + ending);
}

fs::path CandidateStore::make_place(const std::string& hash, const std::string& ending) const {
  const fs::path place = path(hash, ending);
  make_folder(place.parent_path());
  return place;
}

State CandidateStore::state(const std::string& hash) const { return state_of_entry(path(hash, kProvenance)); }

void CandidateStore::write_provenance(const CandidateKey& key, const fs::path& file, json facts) const {
  facts.update({{"key", key.to_json()}});
  if (!file.empty()) {
    facts.update(
        {{"file", file.filename().string()}, {"sha256", sha256_hex_of_file(file)}, {"bytes", fs::file_size(file)}});
  }
  write_file_atomically(make_place(key.hash(), kProvenance), json_text(facts) + "\n");
}

void CandidateStore::add_image(const CandidateKey& key, const Image& image, const json& facts) const {
  const fs::path file = make_place(key.hash(), kImage);
  write_png(file, image);
  json all = facts;
  all.update({{"width", image.width}, {"height", image.height}});
  write_provenance(key, file, std::move(all));
}

void CandidateStore::add_latents(const CandidateKey& key, const at::Tensor& z) const {
  const fs::path file = make_place(key.hash(), kLatents);
  save_tensors(file, {{"z", z}});
  write_provenance(key, file, {{"shape", z.sizes().vec()}});
}

void CandidateStore::add_failure(const CandidateKey& key, const std::string& failure, const json& facts) const {
  json all = facts;
  all["failure"] = failure;
  write_provenance(key, {}, std::move(all));
}

Image CandidateStore::image(const std::string& hash) const {
  const fs::path file = path(hash, kImage);
  return with_context(lost(file), [&] { return read_image(file); });
}

at::Tensor CandidateStore::latents(const std::string& hash) const {
  const fs::path file = path(hash, kLatents);
  return with_context(lost(file), [&] {
    const TensorMap tensors = load_tensors(file);
    check<FormatError>(tensors.contains("z"), "no tensor 'z' in it");
    // A copy: the mapped file may be removed while the tensor lives.
    return tensors.at("z").clone();
  });
}

}  // namespace domainfusion
