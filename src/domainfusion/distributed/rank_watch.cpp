#include "domainfusion/distributed/rank_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace domainfusion {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBeat{500};
// Without a beat for so long a rank counts as gone where a collective has failed already.
constexpr std::chrono::milliseconds kSilence{2500};
constexpr const char* kLostOthers = "lost: ";  // how the note of a rank begins that ends because of another one

std::string key_of(const char* what, int rank) { return fmt::format("{}/{}", what, rank); }

}  // namespace

struct RankWatch::State {
  int rank, size;
  std::chrono::milliseconds timeout;
  MeetingPlace place;
  std::function<void(const std::string&)> lost;

  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;
  std::string note;  // to be left
  bool noted = false;
  std::vector<std::int64_t> beats;
  std::vector<Clock::time_point> grew;
  std::map<int, std::string> notes;
  Clock::time_point first_note;
  Clock::time_point last_round = Clock::now();  // when the meeting place last answered
  bool place_is_gone = false;

  // Ranks whose own ends have been told, or who are silent for `silence`.
  std::string losses(std::chrono::milliseconds silence) const {
    const auto now = Clock::now();
    for (const auto& [other, why] : notes) {
      if (!why.starts_with(kLostOthers)) return fmt::format("rank {} ended: {}", other, why);
    }
    if (place_is_gone || now - last_round > silence)
      return fmt::format("rank {} and its meeting place cannot be reached any more", 0);
    for (int other = 0; other < size; ++other) {
      if (other != rank && !notes.contains(other) && now - grew[static_cast<std::size_t>(other)] > silence)
        return fmt::format("rank {} is lost: nothing has been heard of it for {:.1f} s", other,
                           std::chrono::duration<double>(now - grew[static_cast<std::size_t>(other)]).count());
    }
    for (const auto& [other, why] : notes) return why.substr(std::string(kLostOthers).size());
    return {};
  }
};

RankWatch::RankWatch(int rank, int size, std::chrono::milliseconds timeout, MeetingPlace place,
                     std::function<void(const std::string& why)> lost)
    : state_(std::make_shared<State>()) {
  state_->rank = rank;
  state_->size = size;
  state_->timeout = timeout;
  state_->place = std::move(place);
  state_->lost = std::move(lost);
  state_->beats.assign(static_cast<std::size_t>(size), -1);
  state_->grew.assign(static_cast<std::size_t>(size), Clock::now());
  // Detached: a call to a meeting place behind a cut network may never return.
  std::thread([state = state_] { beat(state); }).detach();
  std::thread([state = state_] { look(state); }).detach();
}

RankWatch::~RankWatch() { stop(); }

void RankWatch::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stop = true;
  state_->changed.notify_all();
}

// The one thread that speaks with the meeting place.
void RankWatch::beat(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (!state->stop) {
    const std::string note = state->note;
    std::vector<std::int64_t> beats;
    std::map<int, std::string> notes;
    lock.unlock();
    bool answered = true;
    try {
      if (!note.empty()) state->place.set(key_of("end", state->rank), note);
      for (int other = 0; other < state->size; ++other) {
        beats.push_back(state->place.add(key_of("beat", other), other == state->rank ? 1 : 0));
        const auto end = state->place.get(key_of("end", other));
        if (end) notes[other] = *end;
      }
    } catch (const std::exception&) {
      answered = false;
    }
    lock.lock();
    if (answered) {
      const auto now = Clock::now();
      state->last_round = now;
      state->noted = state->noted || !note.empty();
      notes.erase(state->rank);
      if (state->notes.empty()) state->first_note = now;
      state->notes = std::move(notes);
      for (std::size_t i = 0; i < beats.size(); ++i) {
        if (beats[i] != state->beats[i]) state->grew[i] = now;
      }
      state->beats = std::move(beats);
    } else {
      state->place_is_gone = true;
    }
    state->changed.notify_all();
    if (state->place_is_gone) return;
    state->changed.wait_for(lock, kBeat, [&] { return state->stop || (!state->note.empty() && !state->noted); });
  }
}

void RankWatch::look(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  auto last_look = Clock::now();
  while (!state->stop) {
    // Who stood still itself (a suspended machine, a stopped process) has missed what the others said meanwhile.
    const auto now = Clock::now();
    if (now - last_look > std::max<std::chrono::milliseconds>(state->timeout / 2, 4 * kBeat)) {
      state->last_round = now;
      std::fill(state->grew.begin(), state->grew.end(), now);
    }
    last_look = now;
    const bool late = Clock::now() - state->last_round > state->timeout;
    // A place that is gone closes its connections, which collectives notice first: they have the word for a while.
    const bool gone = state->place_is_gone && Clock::now() - state->last_round > 2 * kSilence;
    // Who has said why it ends is missed by a collective, unless its connections stay open.
    const bool told = !state->notes.empty() && Clock::now() - state->first_note > 3 * kSilence;
    std::string why;
    if (late || gone || told) {
      why = state->losses(std::chrono::milliseconds(0));
    } else if (!state->place_is_gone) {
      for (int other = 0; other < state->size && why.empty(); ++other) {
        const bool silent = Clock::now() - state->grew[static_cast<std::size_t>(other)] > state->timeout;
        if (other != state->rank && silent) why = state->losses(state->timeout);
      }
    }
    if (!why.empty()) {
      state->stop = true;
      lock.unlock();
      state->lost(why);
      return;
    }
    state->changed.wait_for(lock, kBeat);
  }
}

std::string RankWatch::what_happened() const {
  std::unique_lock lock(state_->mutex);
  const auto end = Clock::now() + kSilence + 4 * kBeat;
  while (Clock::now() < end) {
    const std::string why = state_->losses(kSilence);
    if (!why.empty()) return why;
    state_->changed.wait_for(lock, kBeat);
  }
  return {};
}

void RankWatch::leave(const std::string& why) const {
  std::unique_lock lock(state_->mutex);
  state_->note = why;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, 4 * kBeat, [this] { return state_->noted || state_->place_is_gone; });
}

}  // namespace domainfusion
