#pragma once
// A visible list of named factories: one per kind (algorithms, backbones, schedulers, …).

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/nearest_name.h"

namespace domainfusion {

// Product: what is made (held by std::unique_ptr); Args: what its constructors take.
template <class Product, class... Args>
class Registry {
 public:
  struct Entry {
    std::string name;
    std::string help;
    std::function<std::unique_ptr<Product>(Args...)> make;
  };

  explicit Registry(std::string kind) : kind_(std::move(kind)) {}

  // Adds Concrete under `name`; it is constructed with the registry's Args.
  template <class Concrete>
  void add(std::string name, std::string help) {
    add(std::move(name), std::move(help), [](Args... args) -> std::unique_ptr<Product> {
      return std::make_unique<Concrete>(std::forward<Args>(args)...);
    });
  }
  void add(std::string name, std::string help, std::function<std::unique_ptr<Product>(Args...)> make) {
    check(!contains(name), "{} '{}' is registered twice", kind_, name);
    entries_.push_back({std::move(name), std::move(help), std::move(make)});
  }

  // Throws ConfigError that names the nearest entry when `name` is unknown.
  const Entry& at(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (entry.name == name) return entry;
    }
    throw ConfigError(fmt::format("unknown {} '{}'{}; known: {}", kind_, name, did_you_mean(name, names()),
                                  fmt::join(names(), ", ")));
  }
  std::unique_ptr<Product> make(std::string_view name, Args... args) const {
    return at(name).make(std::forward<Args>(args)...);
  }
  bool contains(std::string_view name) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
  }
  std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (const Entry& entry : entries_) list.push_back(entry.name);
    return list;
  }
  const std::vector<Entry>& entries() const { return entries_; }
  const std::string& kind() const { return kind_; }

 private:
  std::string kind_;
  std::vector<Entry> entries_;
};

}  // namespace domainfusion
