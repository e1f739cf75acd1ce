#pragma once
// Signs of life: each rank counts up a number at the meeting place, and looks whether the others' grow.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace domainfusion {

// The meeting place as the watch needs it; every call may throw, and may hang where a network is cut.
struct MeetingPlace {
  std::function<std::int64_t(const std::string& key, std::int64_t by)> add;
  std::function<std::optional<std::string>(const std::string& key)> get;
  std::function<void(const std::string& key, const std::string& value)> set;
};

class RankWatch {
 public:
  // `place`: of this watch's own. Where a rank, or the meeting place itself, gives no sign of life for `timeout`,
  // `lost` is called from a thread of the watch with what there is to say.
  RankWatch(int rank, int size, std::chrono::milliseconds timeout, MeetingPlace place,
            std::function<void(const std::string& why)> lost);
  // Does not wait for a thread that hangs.
  ~RankWatch();
  RankWatch(const RankWatch&) = delete;
  RankWatch& operator=(const RankWatch&) = delete;

  // After a failure of a collective: which rank is gone, as far as can be told within a few seconds.
  std::string what_happened() const;
  // Leaves the reason of this rank's end for the others.
  void leave(const std::string& why) const;
  // From here on the ends of others are no loss.
  void stop();

 private:
  struct State;
  static void beat(const std::shared_ptr<State>& state);
  static void look(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace domainfusion
