#include "domainfusion/distributed/gloo_ranks.h"

#if __has_include(<gloo/rendezvous/store.h>) && __has_include(<torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>)
#define DOMAINFUSION_HAS_GLOO 1
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#endif

#include <ATen/ATen.h>

#include "domainfusion/core/error.h"

#ifdef DOMAINFUSION_HAS_GLOO

#include <unistd.h>

#include <atomic>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "domainfusion/distributed/local_address.h"
#include "domainfusion/distributed/rank_watch.h"

namespace domainfusion {
namespace {

using std::chrono::milliseconds;
using Store = c10::intrusive_ptr<c10d::Store>;

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
std::string text_of_bytes(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

// Libtorch's messages end with a stack of C++ names.
std::string first_line(const std::string& message) { return message.substr(0, message.find('\n')); }

std::string end_of_rank(int rank, const std::string& why) {
  return fmt::format("rank {} ends: {}; --resume goes on from the last checkpoint, with fewer ranks too", rank, why);
}

Store open_meeting(const RankEnvironment& environment, bool serves, milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(environment.master_port);
  options.isServer = serves;
  options.waitWorkers = false;
  options.timeout = timeout;
  try {
    return c10::make_intrusive<c10d::PrefixStore>(
        "domainfusion/" + environment.meeting,
        c10::make_intrusive<c10d::TCPStore>(environment.master_address, options));
  } catch (const std::exception& error) {
    throw DistributedError(
        fmt::format("rank {} of {} finds no meeting place at {}:{} ({}): {}", environment.rank, environment.size,
                    environment.master_address, environment.master_port, first_line(error.what()),
                    serves ? "another program has that port: choose another one (MASTER_PORT)"
                           : "is rank 0 running there (MASTER_ADDR, MASTER_PORT), and can its port be reached?"));
  }
}

MeetingPlace place_of(const Store& store) {
  return {[store](const std::string& key, std::int64_t by) { return store->add(key, by); },
          [store](const std::string& key) {
            return store->check({key}) ? std::optional(text_of_bytes(store->get(key))) : std::nullopt;
          },
          [store](const std::string& key, const std::string& value) { store->set(key, bytes_of(value)); }};
}

class GlooRanks final : public Ranks {
 public:
  GlooRanks(const RankEnvironment& environment, const RankSettings& settings)
      : rank_(environment.rank), size_(environment.size), exact_sums_(settings.exact_sums) {
    store_ = open_meeting(environment, environment.rank == 0 && !environment.master_is_served, settings.timeout);
    const std::string own = wait_for_all(environment, settings);
    connect(own);
    watch_ = std::make_unique<RankWatch>(
        rank_, size_, settings.timeout, place_of(open_meeting(environment, false, settings.timeout)),
        [rank = rank_](const std::string& why) {
          // The other threads wait for somebody who is gone, and nothing can wake them. Files are whole at any moment.
          const std::string line = fmt::format("error: {}\n", end_of_rank(rank, why));
          [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
          ::_exit(static_cast<int>(ExitCode::kDistributed));
        });
  }

  // Threads of a broken group may hang: it is left to the end of the process.
  ~GlooRanks() override {
    if (!finished_) group_.release();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void sum(const at::Tensor& values) override { sum_later(values)(); }

  std::function<void()> sum_later(const at::Tensor& values) override {
    if (exact_sums_ && values.is_floating_point()) {
      values.copy_(tree_sum(gather(values)));
      return [] {};
    }
    const at::Tensor on_cpu = values.to(at::kCPU).contiguous();
    sent_ += static_cast<std::int64_t>(on_cpu.nbytes());
    return guarded([&] {
      std::vector<at::Tensor> list{on_cpu};
      auto work = group_->allreduce(list);
      return [this, work, on_cpu, values] {
        guarded([&] { return work->wait(); });
        if (!on_cpu.is_same(values)) values.copy_(on_cpu);
      };
    });
  }

  std::vector<at::Tensor> gather(const at::Tensor& values) override {
    const at::Tensor own = values.detach().to(at::kCPU).contiguous();
    sent_ += static_cast<std::int64_t>(own.nbytes());
    std::vector<std::vector<at::Tensor>> all(1);
    for (int i = 0; i < size_; ++i) all[0].push_back(at::empty_like(own));
    std::vector<at::Tensor> list{own};
    guarded([&] { return group_->allgather(all, list)->wait(); });
    for (at::Tensor& one : all[0]) one = one.to(values.device());
    return all[0];
  }

  std::string from_first(const std::string& text) override {
    const at::Tensor length =
        at::tensor({rank_ == 0 ? static_cast<std::int64_t>(text.size()) : std::int64_t{0}}, at::kLong);
    sum(length);
    const at::Tensor bytes = at::zeros({length.item<std::int64_t>()}, at::kByte);
    if (rank_ == 0) std::copy(text.begin(), text.end(), bytes.data_ptr<std::uint8_t>());
    if (bytes.numel() == 0) return {};
    std::vector<at::Tensor> list{bytes};
    guarded([&] { return group_->broadcast(list)->wait(); });
    const auto* data = bytes.data_ptr<std::uint8_t>();
    return {data, data + bytes.numel()};
  }

  void meet() override { sum(at::zeros({1}, at::kLong)); }

  std::int64_t bytes_sent() const override { return sent_; }

  void leave(const std::string& why) noexcept override {
    try {
      watch_->leave(why);
    } catch (...) {  // its connections will tell the others
    }
  }

  void finish() override {
    meet();
    watch_->stop();
    // Who has the meeting place in its process leaves last.
    guarded([&] {
      store_->add("done", 1);
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      while (rank_ == 0 && store_->add("done", 0) < size_ && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(milliseconds(10));
      return true;
    });
    finished_ = true;
  }

 private:
  // Neighbours first, then pairs of neighbours, …
  static at::Tensor tree_sum(std::vector<at::Tensor> values) {
    while (values.size() > 1) {
      std::vector<at::Tensor> pairs;
      for (std::size_t i = 0; i + 1 < values.size(); i += 2) pairs.push_back(values[i] + values[i + 1]);
      if (values.size() % 2 == 1) pairs.push_back(values.back());
      values = std::move(pairs);
    }
    return values.front();
  }

  // A message of c10d says which socket closed, not which rank is gone.
  template <class Action>
  auto guarded(Action action) -> decltype(action()) {
    try {
      return action();
    } catch (const std::exception& error) {
      std::string why = watch_ ? watch_->what_happened() : "";
      if (why.empty()) why = "the connections between ranks failed: " + first_line(error.what());
      if (watch_) watch_->leave("lost: " + why);
      throw DistributedError(end_of_rank(rank_, why));
    }
  }

  // Returns this rank's address for the others.
  std::string wait_for_all(const RankEnvironment& environment, const RankSettings& settings) {
    std::string own = settings.interface.empty() ? address_towards(environment.master_address)
                                                 : address_of_interface(settings.interface);
    const auto key = [](int rank) { return fmt::format("here/{}", rank); };
    char host[256] = {};
    ::gethostname(host, sizeof host - 1);
    store_->set(key(rank_), bytes_of(own + " " + host));
    const auto end = std::chrono::steady_clock::now() + settings.timeout;
    std::vector<int> missing;
    do {
      missing.clear();
      for (int rank = 0; rank < size_; ++rank) {
        if (!store_->check({key(rank)})) missing.push_back(rank);
      }
      if (!missing.empty()) std::this_thread::sleep_for(milliseconds(20));
    } while (!missing.empty() && std::chrono::steady_clock::now() < end);
    check<DistributedError>(missing.empty(),
                            "after {:.0f} s, rank{} {} of {} did not come to {}:{}; look at how {} ended",
                            std::chrono::duration<double>(settings.timeout).count(), missing.size() > 1 ? "s" : "",
                            fmt::join(missing, ", "), size_, environment.master_address, environment.master_port,
                            missing.size() > 1 ? "they" : "it");
    if (!is_loopback(own) || !settings.interface.empty()) return own;
    // The master's own name may mean the loopback there, as Debian has it; others are elsewhere if they came from
    // elsewhere.
    for (int rank = 0; rank < size_; ++rank) {
      const std::string theirs = text_of_bytes(store_->get(key(rank)));
      const std::string address = theirs.substr(0, theirs.find(' '));
      if (!is_loopback(address)) return address_towards(address);
    }
    return own;
  }

  void connect(const std::string& own) {
    auto options = c10d::ProcessGroupGloo::Options::create(std::chrono::hours(24 * 365));  // the watch is for that
    options->threads = 2;
    try {
      options->devices = {c10d::ProcessGroupGloo::createDeviceForHostname(own)};
      group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store_, rank_, size_, options);
    } catch (const std::exception& error) {
      throw DistributedError(
          fmt::format("rank {} of {} at {} cannot connect to the others ({}): name the network interface between the "
                      "machines with --interface",
                      rank_, size_, own, first_line(error.what())));
    }
  }

  int rank_, size_;
  bool exact_sums_;
  Store store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  std::unique_ptr<RankWatch> watch_;
  std::atomic<std::int64_t> sent_{0};
  bool finished_ = false;
};

}  // namespace

std::string why_no_ranks() { return {}; }

std::unique_ptr<Ranks> join_gloo_ranks(const RankEnvironment& environment, const RankSettings& settings) {
  return std::make_unique<GlooRanks>(environment, settings);
}

}  // namespace domainfusion

#else

namespace domainfusion {

std::string why_no_ranks() {
  return "this build has no ranks, because Gloo's headers (Debian's libgloo-dev) were not there when it was made";
}

std::unique_ptr<Ranks> join_gloo_ranks(const RankEnvironment&, const RankSettings&) {
  throw DistributedError(why_no_ranks());
}

}  // namespace domainfusion

#endif
