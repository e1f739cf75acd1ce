#pragma once
// Which runs are of one set of images, and what tables call that set: a folder's name alone does not say it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace domainfusion {

// What a run says of its set. What is not known is empty, and differs from nothing.
struct SetTraits {
  std::string name;                           // "PACS", or the last part of the images' folder
  std::vector<std::string> domains, classes;  // sorted; domains whose names are not known are "env0", "env1", …
  std::vector<std::int64_t> images;           // by domain
  // provenance.h's hash of paths and of some images. Which images depends on `hashed`, so hashes of runs that differ in
  // it say nothing of each other.
  std::string data_hash, hashed;
  std::string folder;           // of the images
  std::filesystem::path place;  // of the run: what is not known of a set is taken from runs beside it
};

// One name per run: its own unless runs of different sets have it. Then the sets' names are "NAME (DOMAINS)" where
// their domains differ, else "NAME (FOLDER)" where their folders do, else "NAME (1)", "NAME (2)", …, by first run; what
// happened is said in a log line. Sets differ if their domains, classes (case, '_', '-' and spaces not counting),
// numbers of images or comparable hashes do.
std::vector<std::string> names_of_sets(const std::vector<SetTraits>& runs);

}  // namespace domainfusion
