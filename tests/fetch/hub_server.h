#pragma once
// Two servers that behave as the Hugging Face hub does: one lists models, answers for small files itself and redirects
// large ones to the other.

#include <map>
#include <string>

#include "domainfusion/fetch/etag_hash.h"
#include "domainfusion/io/files/content_hash.h"
#include "fetch/local_server.h"
#include "temporary_folder.h"

namespace domainfusion {

class HubServer {
 public:
  static constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
  static constexpr std::size_t kLarge = 1000;  // bytes from which a file lies on the other server

  LocalServer hub, store;

  std::string endpoint() const {
    std::string url = hub.url("");
    url.pop_back();
    return url;
  }

  // The model's revision main, and that commit by itself.
  void publish(const std::string& model, const std::map<std::string, std::string>& files) {
    std::string siblings;
    for (const auto& [name, bytes] : files) {
      siblings += (siblings.empty() ? "" : ", ") + ("{\"rfilename\": \"" + name + "\"}");
      publish_file(model, name, bytes);
    }
    const std::string listing =
        std::string("{\"id\": \"") + model + "\", \"sha\": \"" + kCommit + "\", \"siblings\": [" + siblings + "]}";
    for (const char* revision : {"main", kCommit}) hub.put(listing_path(model, revision), listing);
  }
  static std::string listing_path(const std::string& model, const std::string& revision = "main") {
    return "api/models/" + model + "/revision/" + revision;
  }
  static std::string file_path(const std::string& model, const std::string& file) {
    return model + "/resolve/" + kCommit + "/" + file;
  }
  // As the name of a blob.
  static std::string etag_of(const std::string& bytes) {
    if (bytes.size() >= kLarge) return sha256_hex(bytes);
    const TemporaryFolder folder;
    return git_hash_of_file(folder.write("file", bytes));
  }

 private:
  void publish_file(const std::string& model, const std::string& name, const std::string& bytes) {
    const std::string etag = etag_of(bytes), commit = std::string("X-Repo-Commit: ") + kCommit + "\r\n";
    if (bytes.size() < kLarge) return hub.put(file_path(model, name), bytes, "ETag: \"" + etag + "\"\r\n" + commit);
    store.put(etag, bytes);
    hub.redirect(file_path(model, name), store.url(etag),
                 commit + "X-Linked-Etag: \"" + etag + "\"\r\nX-Linked-Size: " + std::to_string(bytes.size()) + "\r\n");
  }
};

}  // namespace domainfusion
