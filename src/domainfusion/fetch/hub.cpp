#include "domainfusion/fetch/hub.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/readable_text.h"
#include "domainfusion/io/folders/user_folders.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListingBytes = std::size_t{64} << 20, kLongestPath = 1000, kLongestEtag = 128;

// Percent-encoded but for '/' where `keep_slashes`.
std::string encoded(std::string_view text, bool keep_slashes) {
  std::string result;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-._~").find(c) != text.npos;
    if (plain || (c == '/' && keep_slashes)) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

bool stays_below(const std::string& file) {
  if (file.empty() || file.size() > kLongestPath || readable_text(file, file.size()) != file) return false;
  for (std::size_t begin = 0; begin <= file.size();) {
    const std::size_t slash = std::min(file.find('/', begin), file.size());
    const std::string part = file.substr(begin, slash - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = slash + 1;
  }
  return file.find('\\') == std::string::npos;
}

// An ETag as the name of a blob: without quotes and mark of weakness.
std::string plain_etag(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  etag.erase(std::remove(etag.begin(), etag.end(), '"'), etag.end());
  const bool good = !etag.empty() && etag.size() <= kLongestEtag && etag.front() != '.' &&
                    std::all_of(etag.begin(), etag.end(),
                                [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; });
  return good ? etag : std::string();
}

// Of a redirect the length is that of its own body.
std::int64_t size_of(const HttpAnswer& answer) {
  const std::string linked = answer.header("x-linked-size");
  if (linked.empty()) return answer.status < 300 ? answer.total() : -1;
  const bool number =
      linked.size() < 16 && std::all_of(linked.begin(), linked.end(), [](unsigned char c) { return std::isdigit(c); });
  return number ? std::stoll(linked) : -1;
}

// "HF_TOKEN or …/token".
std::string places_of_token() { return fmt::format("HF_TOKEN or the file {}", (hub_home() / "token").string()); }

}  // namespace

std::string hub_endpoint() {
  const char* set = std::getenv("HF_ENDPOINT");
  std::string endpoint = set == nullptr || *set == '\0' ? "https://huggingface.co" : set;
  endpoint.erase(endpoint.find_last_not_of('/') + 1);
  return endpoint;
}

std::string hub_token() {
  const char* set = std::getenv("HF_TOKEN");
  std::string token = set == nullptr ? "" : set;
  const fs::path file = environment_folder("HF_TOKEN_PATH").value_or(hub_home() / "token");
  if (token.empty() && fs::is_regular_file(file)) token = read_file(file);
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  token.erase(0, token.find_first_not_of(" \t\r\n"));
  check<ConfigError>(std::all_of(token.begin(), token.end(), [](unsigned char c) { return std::isgraph(c); }),
                     "the token of {} holds blanks or other characters that no token has", places_of_token());
  return token;
}

HttpAnswer Hub::get(const HubRepository& repository, const HttpRequest& request, std::string* text) {
  const auto take = [&](std::string_view bytes, const HttpAnswer&) {
    if (text == nullptr) return;
    check<FormatError>(text->size() + bytes.size() <= kListingBytes, "{}: more than {} bytes", shown_url(request.url),
                       kListingBytes);
    text->append(bytes);
  };
  return explained(repository, [&] {
    for (Patience patience(options_);;) {
      try {
        if (text != nullptr) text->clear();
        return connection_.get(request, take);
      } catch (const HttpError& error) {
        patience.after(error, false);
      }
    }
  });
}

HubListing Hub::list(const HubRepository& repository) {
  const std::string url =
      fmt::format("{}/api/models/{}/revision/{}", endpoint_, repository.name, encoded(repository.revision, false));
  std::string text;
  get(repository, {.url = url, .token = options_.token}, &text);
  return with_json_context(shown_url(url), [&] {
    const nlohmann::json answer = parse_json(text);
    HubListing listing{answer.at("sha"), {}};
    check<FormatError>(is_commit(listing.commit), "the commit is '{}'", readable_text(listing.commit));
    for (const auto& file : answer.at("siblings")) {
      listing.files.push_back(file.at("rfilename"));
      check<FormatError>(stays_below(listing.files.back()), "the file '{}' would leave its folder",
                         readable_text(listing.files.back()));
    }
    return listing;
  });
}

HubFile Hub::describe(const HubRepository& repository, const std::string& commit, const std::string& file) {
  const std::string url = fmt::format("{}/{}/resolve/{}/{}", endpoint_, repository.name, commit, encoded(file, true));
  const HttpAnswer answer = get(repository, {.url = url, .head = true, .token = options_.token, .leave_at_host = true});
  const std::string linked = answer.header("x-linked-etag"), own = answer.header("etag");
  const HubFile described{file, url, plain_etag(linked.empty() ? own : linked), size_of(answer)};
  check<FormatError>(!described.etag.empty() && described.bytes >= 0,
                     "{}: the answer has no ETag or no size, as the hub's answers do; is it a mirror of the hub?",
                     shown_url(url));
  const std::string of = answer.header("x-repo-commit");
  check<FormatError>(of.empty() || of == commit, "{}: is of commit '{}', expected {}", shown_url(url),
                     readable_text(of), commit);
  return described;
}

void Hub::explain(const HubRepository& repository, const HttpError& error) const {
  const HttpAnswer& answer = error.answer();
  const std::string code = answer.header("x-error-code");
  const std::string page = shown_url(endpoint_) + "/" + repository.name;
  const bool gated = code == "GatedRepo";
  std::string cause;
  if (gated || answer.status == 403) {
    cause = options_.token.empty()
                ? fmt::format("a gated model: accept its terms at {}, and put a token of that account into {}", page,
                              places_of_token())
                : fmt::format(
                      "your token may not read it: accept the model's terms at {} with the token's account; a "
                      "fine-grained token needs the right to read gated models",
                      page);
  } else if (answer.status == 401) {
    cause = options_.token.empty()
                ? fmt::format("no such model, or a private or gated one, for which a token in {} is needed",
                              places_of_token())
                : fmt::format("no such model, or the token of {} is not valid", places_of_token());
  } else if (code == "RevisionNotFound") {
    cause = fmt::format("it has no revision '{}'", repository.revision);
  } else if (answer.status == 404) {
    cause = "no such model or file: check the name";
  } else if (answer.status == 429) {
    cause = "too many requests: wait some minutes; a token raises the limit";
  } else {
    throw error;
  }
  throw IoError(fmt::format("{}: {} ({})", repository.text(), cause, error.what()));
}

}  // namespace domainfusion
