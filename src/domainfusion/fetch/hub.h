#pragma once
// What a server with the Hugging Face hub's interface says of its models.

#include <cstdint>
#include <string>
#include <vector>

#include "domainfusion/fetch/cache/hub_cache.h"
#include "domainfusion/fetch/download.h"
#include "domainfusion/fetch/http.h"

namespace domainfusion {

// $HF_ENDPOINT, else the hub itself; without '/' at its end.
std::string hub_endpoint();

// The user's token: $HF_TOKEN, else what the file $HF_TOKEN_PATH, else hub_home()/token holds; empty where there is
// none. ConfigError, which does not show it, for one with characters that no token has.
std::string hub_token();

struct HubListing {
  std::string commit;              // of the revision
  std::vector<std::string> files;  // paths below the repository's folder, none of which leaves it
};

struct HubFile {
  std::string name, url;
  std::string etag;  // SHA-256 of a large file, git's hash of a small one
  std::int64_t bytes = 0;
};

// Requests are tried again as DownloadOptions says. All functions throw IoError that says what a refusal means and what
// helps (a gated model, an unknown one, too many requests), and FormatError for answers that are not the hub's.
class Hub {
 public:
  // options.token is sent to the endpoint alone.
  Hub(std::string endpoint, DownloadOptions options) : endpoint_(std::move(endpoint)), options_(std::move(options)) {}

  HubListing list(const HubRepository& repository);
  HubFile describe(const HubRepository& repository, const std::string& commit, const std::string& file);
  // Errors of the action (a download, say) as those of this hub.
  template <class Action>
  auto explained(const HubRepository& repository, Action&& action) -> decltype(action()) {
    try {
      return action();
    } catch (const HttpError& error) {
      explain(repository, error);
    }
  }

 private:
  // What the request answers; `text`, if not null, becomes its body.
  HttpAnswer get(const HubRepository& repository, const HttpRequest& request, std::string* text = nullptr);
  [[noreturn]] void explain(const HubRepository& repository, const HttpError& error) const;

  std::string endpoint_;
  DownloadOptions options_;
  HttpConnection connection_;
};

}  // namespace domainfusion
