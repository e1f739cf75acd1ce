#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "domainfusion/core/error.h"
#include "domainfusion/report/tensorboard/event_log.h"
#include "domainfusion/report/tensorboard/protobuf.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string_view bytes_at(std::string_view message, std::initializer_list<int> path) {
  for (const int number : path) {
    const auto field = ProtobufReader::find(message, number);
    if (!field) return {};
    message = field->bytes;
  }
  return message;
}

struct Scalar {
  std::int64_t step;
  std::string tag;
  float value;
  bool operator==(const Scalar&) const = default;
};

// What all event files of a folder say, read in TensorBoard's order.
struct Events {
  std::vector<std::string> versions, images, hparams_tags;
  std::vector<std::int64_t> session_starts;
  std::vector<Scalar> scalars;

  std::vector<std::int64_t> steps_of(const std::string& tag) const {
    std::vector<std::int64_t> steps;
    for (const Scalar& scalar : scalars) {
      if (scalar.tag == tag) steps.push_back(scalar.step);
    }
    return steps;
  }
};

void add_value(Events& events, std::int64_t step, std::string_view value) {
  const std::string tag(bytes_at(value, {1}));
  if (const auto number = ProtobufReader::find(value, 2)) events.scalars.push_back({step, tag, number->real32()});
  if (const auto image = ProtobufReader::find(value, 4)) events.images.emplace_back(bytes_at(image->bytes, {4}));
  if (bytes_at(value, {9, 1, 1}) == "hparams") events.hparams_tags.push_back(tag);
}

bool add_event(Events& events, std::string_view event) {
  const auto step_field = ProtobufReader::find(event, 2);
  const std::int64_t step = step_field ? static_cast<std::int64_t>(step_field->value) : 0;
  EXPECT_GT(ProtobufReader::find(event, 1)->real(), 1.6e9) << "wall time in seconds since 1970";
  if (const auto version = ProtobufReader::find(event, 3)) events.versions.emplace_back(version->bytes);
  if (const auto log = ProtobufReader::find(event, 7)) {
    EXPECT_EQ(ProtobufReader::find(log->bytes, 1)->value, 1u);
    events.session_starts.push_back(step);
  }
  if (const auto summary = ProtobufReader::find(event, 5)) {
    ProtobufReader values(summary->bytes);
    while (const auto value = values.next()) add_value(events, step, value->bytes);
  }
  return true;
}

Events read_events(const fs::path& folder) {
  Events events;
  for (const fs::path& file : event_files_in(folder)) {
    const auto end = read_tfrecords(file, [&](std::string_view event) { return add_event(events, event); });
    EXPECT_EQ(end, fs::file_size(file)) << file << " is read to its end";
  }
  return events;
}

json step_record(std::int64_t step) {
  return {{"type", "step"}, {"step", step}, {"loss", 1.0 / static_cast<double>(step + 1)}};
}
json validation_record(std::int64_t step) {
  return {{"type", "validation"},
          {"step", step},
          {"accuracy", {{"photo", 0.5}}},
          {"mean_accuracy", 0.5},
          {"mean_loss", 0.7}};
}
const json kTestRecord = {{"type", "test"}, {"domain", "sketch"}, {"step", 2}, {"accuracy", 0.25}};
const json kConfig = {{"algorithm", "erm"}, {"optimizer", {{"lr", 0.001}}}, {"tensorboard", true}};

// Steps first … last - 1, a validation after each second one.
void write_steps(EventLog& log, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step < last; ++step) {
    log.write(step_record(step));
    if (step % 2 == 1) log.write(validation_record(step + 1));
  }
}

class TensorBoard : public testing::Test {
 protected:
  TemporaryFolder folder_;
};

}  // namespace

TEST(EventFile, ChecksumsAreCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);            // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(EventFile, NumbersAreVarintsAndTextsCarryTheirLength) {
  const std::string bytes = ProtobufMessage().integer(1, 150).text(2, "testing").integer(3, -1).bytes();
  EXPECT_EQ(bytes, std::string("\x08\x96\x01\x12\x07testing\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  EXPECT_EQ(static_cast<std::int64_t>(ProtobufReader::find(bytes, 3)->value), -1);
  EXPECT_EQ(ProtobufReader::find(bytes, 2)->bytes, "testing");
}

TEST(EventFile, IsForWhomTheUserLetsWrite) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(0002);
  const EventFileWriter writer(folder.path());
  ::umask(before);
  const auto shared = std::filesystem::perms(0664);
  EXPECT_EQ(std::filesystem::status(event_files_in(folder.path()).at(0)).permissions(), shared);
}

TEST(EventFile, DamagedMessagesEndTheReading) {
  EXPECT_FALSE(ProtobufReader::find("\x12\x7fshort", 2));
  EXPECT_FALSE(ProtobufReader::find("\xff\xff\xff", 1));
  EXPECT_FALSE(ProtobufReader::find("\x0b", 1));
}

TEST_F(TensorBoard, ShowsScalarsImagesAndHyperParameters) {
  const Image image{1, 2, {255, 0, 0, 0, 255, 0}};
  {
    EventFileWriter writer(folder_.path());
    writer.scalars(7, {{"train/loss", 0.5}, {"train/lr", 0.25}});
    writer.image(8, "rounds", image);
    writer.hyper_parameters({{"lr", 0.1}, {"augment", true}, {"algorithm", "erm"}}, {"test/accuracy"});
    writer.session_end();
  }
  const Events events = read_events(folder_.path());
  EXPECT_EQ(events.versions, std::vector<std::string>{"brain.Event:2"});
  EXPECT_EQ(events.scalars, (std::vector<Scalar>{{7, "train/loss", 0.5f}, {7, "train/lr", 0.25f}}));
  ASSERT_EQ(events.images.size(), 1u);
  EXPECT_EQ(decode_image(events.images[0], "the event"), image);
  EXPECT_EQ(events.hparams_tags, (std::vector<std::string>{"_hparams_/experiment", "_hparams_/session_start_info",
                                                           "_hparams_/session_end_info"}));
}

TEST_F(TensorBoard, HyperParametersKeepTheirTypes) {
  EventFileWriter(folder_.path())
      .hyper_parameters({{"lr", 0.1}, {"augment", true}, {"algorithm", "erm"}}, {"test/accuracy"});
  std::map<std::string, std::string> values;
  read_tfrecords(event_files_in(folder_.path()).at(0), [&](std::string_view event) {
    const std::string_view value = bytes_at(event, {5, 1});
    if (bytes_at(value, {1}) != "_hparams_/session_start_info") return true;
    ProtobufReader session(bytes_at(value, {9, 1, 2, 3}));
    while (const auto field = session.next()) {
      if (field->number == 1) values[std::string(bytes_at(field->bytes, {1}))] = bytes_at(field->bytes, {2});
    }
    return true;
  });
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(ProtobufReader::find(values["lr"], 2)->real(), 0.1);
  EXPECT_EQ(ProtobufReader::find(values["augment"], 4)->value, 1u);
  EXPECT_EQ(ProtobufReader::find(values["algorithm"], 3)->bytes, "erm");
}

TEST_F(TensorBoard, AResumedRunGoesOnWithoutAStepTwice) {
  {
    EventLog log(folder_.path(), kConfig);
    log.rewind(0);
    write_steps(log, 0, 7);
  }
  std::ofstream(event_files_in(folder_.path()).at(0), std::ios::app) << "torn by a kill";
  {
    EventLog log(folder_.path(), kConfig);
    log.rewind(4);
    write_steps(log, 4, 10);
    log.write(kTestRecord);
  }
  const Events events = read_events(folder_.path());
  EXPECT_EQ(event_files_in(folder_.path()).size(), 1u);
  EXPECT_EQ(events.session_starts, std::vector<std::int64_t>{0}) << "for a TensorBoard that has read the first file";
  EXPECT_EQ(events.steps_of("train/loss"), (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(events.steps_of("validation/mean_accuracy"), (std::vector<std::int64_t>{2, 4, 6, 8, 10}));
  EXPECT_EQ(events.steps_of("validation/accuracy/photo").size(), 5u);
  EXPECT_EQ(events.steps_of("test/accuracy").size(), 1u);
  EXPECT_EQ(events.hparams_tags.size(), 3u);
}

// As versions before left them: a file a start, each voiding what the ones before it say of later steps.
TEST_F(TensorBoard, FilesOfOlderStartsBecomeOne) {
  const auto file_of = [](const ProtobufMessage& first, std::int64_t step, float loss) {
    const auto value = ProtobufMessage().text(1, "train/loss").real32(2, loss);
    const auto scalar = ProtobufMessage().real(1, 2e9).integer(2, step).message(5, ProtobufMessage().message(1, value));
    return tfrecord(first.bytes()) + tfrecord(scalar.bytes());
  };
  const auto start = ProtobufMessage().real(1, 2e9).integer(2, 2).message(7, ProtobufMessage().integer(1, 1));
  const auto version = ProtobufMessage().real(1, 2e9).text(3, "brain.Event:2");
  folder_.write("events.out.tfevents.0000000001.domainfusion", file_of(version, 1, 0.5f) + file_of(version, 2, 0.25f));
  folder_.write("events.out.tfevents.0000000002.domainfusion", file_of(start, 2, 0.75f));
  folder_.write("events.out.tfevents.0000000003.domainfusion.partial-7-0badcafe-0", "half");
  EventLog(folder_.path(), kConfig).rewind(9);
  EXPECT_EQ(event_files_in(folder_.path()).size(), 1u);
  EXPECT_EQ(read_events(folder_.path()).scalars,
            (std::vector<Scalar>{{1, "train/loss", 0.5f}, {2, "train/loss", 0.75f}}));
}

TEST_F(TensorBoard, AFinishedRunThatIsResumedIsTestedOnceMoreInPlaceOfBefore) {
  for (int start = 0; start < 3; ++start) {
    EventLog log(folder_.path(), kConfig);
    log.rewind(start == 0 ? 0 : 4);
    if (start == 0) write_steps(log, 0, 4);
    log.write({{"type", "fit"}, {"step", 4}, {"accuracy", 0.75}});
    log.write(kTestRecord);
    log.write({{"type", "test"}, {"domain", "sketch"}, {"step", 4}, {"accuracy", 0.5}, {"model", "swad"}});
  }
  const Events events = read_events(folder_.path());
  EXPECT_EQ(events.steps_of("train/loss"), (std::vector<std::int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(events.steps_of("test/accuracy").size(), 1u);
  EXPECT_EQ(events.steps_of("fit/accuracy"), std::vector<std::int64_t>{4});
  EXPECT_EQ(events.steps_of("test/swad_accuracy").size(), 1u);
}

TEST_F(TensorBoard, EventsThatCannotBeWrittenDoNotStopARun) {
  EventLog log(folder_.path() / "absent", kConfig);
  EXPECT_NO_THROW(log.rewind(0));
  EXPECT_NO_THROW(log.write(step_record(0)));
  EventLog other(folder_.path(), kConfig);
  other.rewind(0);
  EXPECT_NO_THROW(other.write({{"type", "round"}, {"step", 0}, {"round", "no number"}})) << "not an error of ours";
}

}  // namespace domainfusion
