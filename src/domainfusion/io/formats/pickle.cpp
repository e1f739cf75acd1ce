#include "domainfusion/io/formats/pickle.h"

#include <charconv>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {
namespace {

using Ref = Pickle::Ref;
using Kind = Pickle::Kind;

// More values than any weights file has, and more places in lists and dictionaries. A value takes some tens of bytes, a
// place 4.
constexpr std::size_t kMaxValues = 1'000'000, kMaxItems = 4'000'000;

// Takes numbers and texts from the front of the pickle.
class PickleBytes {
 public:
  explicit PickleBytes(std::span<const std::byte> bytes)
      : all_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}

  std::size_t offset() const { return offset_; }
  std::string_view take(std::uint64_t size) {
    check<FormatError>(size <= all_.size() - offset_, "its pickle ends at byte {} inside a value: it is truncated",
                       all_.size());
    const std::string_view taken = all_.substr(offset_, size);
    offset_ += size;
    return taken;
  }
  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof(Number)).data(), sizeof(Number));
    return value;
  }
  std::string_view line() {
    const std::size_t end = all_.find('\n', offset_);
    check<FormatError>(end != std::string_view::npos, "its pickle ends inside a line: it is truncated");
    const std::string_view taken = take(end - offset_);
    ++offset_;
    return taken;
  }

 private:
  std::string_view all_;
  std::size_t offset_ = 0;
};

template <class Number>
Number number_of_line(std::string_view line) {
  Number value{};
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  check<FormatError>(error == std::errc() && end == line.data() + line.size(),
                     "its pickle holds '{}' where a number belongs", readable_text(line));
  return value;
}

}  // namespace

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, std::span<const PickleGlobal> globals)
      : bytes_(bytes), globals_(globals) {}

  Pickle run() {
    while (step(static_cast<unsigned char>(bytes_.number<char>()))) {
      check<FormatError>(stack_.size() + marks_.size() + memo_.size() <= 2 * kMaxValues,
                         "its pickle piles up more than {} values", 2 * kMaxValues);
    }
    pickle_.root_ = pop();
    pickle_.bytes_read_ = bytes_.offset();
    return std::move(pickle_);
  }

 private:
  bool step(unsigned char opcode);
  bool push_plain(unsigned char opcode);
  bool push_text(unsigned char opcode);
  bool push_container(unsigned char opcode);
  bool fill_container(unsigned char opcode);
  bool use_memo(unsigned char opcode);
  bool use_object(unsigned char opcode);

  // The stack. Values above the last mark belong to the container that is being built.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Ref pop() {
    check<FormatError>(stack_.size() > floor(), "its pickle takes a value from an empty stack: it is damaged");
    const Ref top = stack_.back();
    stack_.pop_back();
    return top;
  }
  Ref top() {
    const Ref value = pop();
    stack_.push_back(value);
    return value;
  }
  std::vector<Ref> pop_to_mark() {
    check<FormatError>(!marks_.empty(), "its pickle closes a list that was never opened: it is damaged");
    std::vector<Ref> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  std::vector<Ref> pop_count(std::size_t count) {
    std::vector<Ref> items(count);
    while (count-- > 0) items[count] = pop();
    return items;
  }

  // New values.
  Pickle::Value& push(Kind kind) {
    check<FormatError>(pickle_.values_.size() < kMaxValues,
                       "its pickle holds more than {} values: it is no weights file", kMaxValues);
    stack_.push_back(static_cast<Ref>(pickle_.values_.size()));
    Pickle::Value& value = pickle_.values_.emplace_back();
    value.kind = kind;
    value.integer = 0;
    return value;
  }
  void push_integer(std::int64_t number) { push(Kind::kInteger).integer = number; }
  void push_string(Kind kind, std::string_view text) {
    check<FormatError>(text.size() <= UINT32_MAX, "its pickle holds a text of {} bytes", text.size());
    push(kind).text = {text.data(), static_cast<std::uint32_t>(text.size())};
  }
  void push_long(std::string_view little_endian) {
    if (little_endian.size() > sizeof(std::int64_t)) return push_string(Kind::kHuge, little_endian);
    const bool negative = !little_endian.empty() && (little_endian.back() & 0x80) != 0;
    std::int64_t value = negative ? -1 : 0;
    std::memcpy(&value, little_endian.data(), little_endian.size());
    push_integer(value);
  }
  void push_items(Kind kind, std::vector<Ref> items) {
    push(kind);
    append(stack_.back(), items);
  }
  void append(Ref container, const std::vector<Ref>& items) {
    if (items.empty()) return;
    items_ += items.size();
    check<FormatError>(items_ <= kMaxItems, "its pickle fills lists with more than {} items: it is no weights file",
                       kMaxItems);
    std::uint32_t& index = pickle_.values_[container].children;
    if (index == 0) {
      pickle_.children_.emplace_back();
      index = static_cast<std::uint32_t>(pickle_.children_.size());
    }
    auto& children = pickle_.children_[index - 1];
    children.insert(children.end(), items.begin(), items.end());
  }
  void push_global(std::string_view module, std::string_view name);
  void call(Ref callee, Ref arguments);
  void instantiate(Ref type, Ref arguments);
  void make_opaque(Ref maker);
  bool set_attributes(Ref module, Ref attributes);
  void append_to(Ref container, const std::vector<Ref>& items);
  void set_items(Ref container, const std::vector<Ref>& items);
  void memoize(std::uint64_t key, Ref value) { memo_[key] = value; }
  void recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    check<FormatError>(found != memo_.end(), "its pickle asks for entry {} of the memo, which was never stored", key);
    stack_.push_back(found->second);
  }
  // Objects: what is put into them is not kept.
  bool is_opaque(Ref value) const { return pickle_.is(value, Kind::kObject); }
  Pickle::NamedGlobal& global_of(Ref value) {
    return pickle_.globals_[static_cast<std::size_t>(pickle_.integer(value))];
  }

  PickleBytes bytes_;
  std::span<const PickleGlobal> globals_;
  Pickle pickle_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Ref> memo_;
  std::unordered_map<std::string, Ref> named_;  // kGlobal values by name
  std::unordered_set<Ref> modules_;             // dictionaries that stand for TorchScript modules
  std::size_t items_ = 0;
};

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  check<FormatError>(module.size() + name.size() < 1000, "its pickle names an object by {} bytes",
                     module.size() + name.size());
  // Python 2's names of two modules, as Python 3 translates them.
  if (module == "__builtin__") module = "builtins";
  if (module == "copy_reg") module = "copyreg";
  const std::string full = fmt::format("{}.{}", module, name);
  if (const auto known = named_.find(full); known != named_.end()) return stack_.push_back(known->second);
  for (const PickleGlobal& global : globals_) {
    const bool begins = global.name.empty() || global.name.ends_with('.');
    if (begins ? !full.starts_with(global.name) : full != global.name) continue;
    if (global.use == PickleGlobal::Use::kForbidden) break;
    push(Kind::kGlobal).integer = static_cast<std::int64_t>(pickle_.globals_.size());
    pickle_.globals_.push_back({full, global.use});
    named_[full] = stack_.back();
    return;
  }
  throw FormatError(
      fmt::format("its pickle names the Python object '{}', which no weights need; nothing was executed. If you "
                  "trust the file, load it with the program that wrote it and save its state_dict alone",
                  readable_text(full)));
}

// The object keeps the name of its maker alone; what such an object makes in its turn keeps no name.
void PickleMachine::make_opaque(Ref maker) {
  if (!pickle_.is(maker, Kind::kGlobal)) return push_items(Kind::kObject, {});
  Pickle::NamedGlobal& global = global_of(maker);
  if (!std::exchange(global.used, true)) pickle_.opaque_.push_back(global.name);
  push_items(Kind::kObject, {maker});
}

void PickleMachine::call(Ref callee, Ref arguments) {
  if (is_opaque(callee)) return make_opaque(callee);
  check<FormatError>(pickle_.is(callee, Kind::kGlobal) && pickle_.is(arguments, Kind::kTuple),
                     "its pickle calls something that is no named object: it is damaged or hostile");
  const Pickle::NamedGlobal& global = global_of(callee);
  using Use = PickleGlobal::Use;
  if (global.use == Use::kOpaque) return make_opaque(callee);
  check<FormatError>(global.use == Use::kCall || global.use == Use::kDict,
                     "its pickle calls the Python object '{}', which no weights need; nothing was executed",
                     readable_text(global.name));
  if (global.use == Use::kCall) return push_items(Kind::kObject, {callee, arguments});
  push(Kind::kDict);
  // Python 2 passes the content of an OrderedDict as one list of pairs.
  const Ref dict = stack_.back();
  const auto passed = pickle_.items(arguments);
  if (passed.size() != 1 || !pickle_.is(passed[0], Kind::kList)) return;
  std::vector<Ref> content;
  for (const Ref pair : pickle_.items(passed[0])) {
    check<FormatError>(pickle_.items(pair).size() == 2, "its pickle makes a dictionary of something else than pairs");
    content.insert(content.end(), pickle_.items(pair).begin(), pickle_.items(pair).end());
  }
  append(dict, content);
}

void PickleMachine::instantiate(Ref type, Ref arguments) {
  if (!pickle_.is(type, Kind::kGlobal) || global_of(type).use != PickleGlobal::Use::kModule)
    return call(type, arguments);
  push(Kind::kDict);
  modules_.insert(stack_.back());
}

void PickleMachine::append_to(Ref container, const std::vector<Ref>& items) {
  if (is_opaque(container)) return;
  check<FormatError>(pickle_.is(container, Kind::kList) || pickle_.is(container, Kind::kSet),
                     "its pickle appends to something that is no list: it is damaged");
  append(container, items);
}

void PickleMachine::set_items(Ref container, const std::vector<Ref>& items) {
  check<FormatError>(items.size() % 2 == 0, "its pickle has a key without a value: it is damaged");
  if (is_opaque(container)) return;
  check<FormatError>(pickle_.is(container, Kind::kDict),
                     "its pickle sets keys of something that is no dictionary: it is damaged");
  append(container, items);
}

bool PickleMachine::set_attributes(Ref module, Ref attributes) {
  check<FormatError>(pickle_.is(attributes, Kind::kDict) && attributes != module,
                     "its pickle gives a TorchScript module something else than named attributes: it is damaged");
  const auto items = pickle_.items(attributes);
  append(module, {items.begin(), items.end()});
  return true;
}

bool PickleMachine::push_plain(unsigned char opcode) {
  switch (opcode) {
    case 'N':  // NONE
      push(Kind::kNone);
      return true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push(Kind::kBool).integer = opcode == 0x88;
      return true;
    case 'J':  // BININT
      push_integer(bytes_.number<std::int32_t>());
      return true;
    case 'K':  // BININT1
      push_integer(bytes_.number<std::uint8_t>());
      return true;
    case 'M':  // BININT2
      push_integer(bytes_.number<std::uint16_t>());
      return true;
    case 0x8a:  // LONG1
      push_long(bytes_.take(bytes_.number<std::uint8_t>()));
      return true;
    case 0x8b:  // LONG4
      push_long(bytes_.take(bytes_.number<std::uint32_t>()));
      return true;
    case 'G': {  // BINFLOAT: big-endian
      const std::uint64_t bits = __builtin_bswap64(bytes_.number<std::uint64_t>());
      std::memcpy(&push(Kind::kReal).real, &bits, sizeof(bits));
      return true;
    }
    case 'I': {  // INT: text; 00 and 01 are booleans
      const std::string_view line = bytes_.line();
      push_integer(number_of_line<std::int64_t>(line));
      if (line == "00" || line == "01") pickle_.values_[top()].kind = Kind::kBool;
      return true;
    }
    case 'L': {  // LONG: text with an L at its end
      std::string_view line = bytes_.line();
      if (line.ends_with('L')) line.remove_suffix(1);
      line.size() < 19 ? push_integer(number_of_line<std::int64_t>(line)) : push_string(Kind::kHuge, line);
      return true;
    }
    case 'F':  // FLOAT: text
      push(Kind::kReal).real = 0;
      pickle_.values_[top()].real = number_of_line<double>(bytes_.line());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::push_text(unsigned char opcode) {
  std::uint64_t size = 0;
  switch (opcode) {
    case 'U':   // SHORT_BINSTRING
    case 'C':   // SHORT_BINBYTES
    case 0x8c:  // SHORT_BINUNICODE
      size = bytes_.number<std::uint8_t>();
      break;
    case 'T':  // BINSTRING
    case 'B':  // BINBYTES
    case 'X':  // BINUNICODE
      size = bytes_.number<std::uint32_t>();
      break;
    case 0x8d:  // BINUNICODE8
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      size = bytes_.number<std::uint64_t>();
      break;
    case 'V':  // UNICODE: a line
      push_string(Kind::kText, bytes_.line());
      return true;
    case 'S': {  // STRING: a line in quotes
      const std::string_view line = bytes_.line();
      check<FormatError>(line.size() >= 2 && line.front() == line.back() && (line[0] == '\'' || line[0] == '"'),
                         "its pickle holds the text {} without quotes: it is damaged", readable_text(line));
      push_string(Kind::kText, line.substr(1, line.size() - 2));
      return true;
    }
    default:
      return false;
  }
  push_string(Kind::kText, bytes_.take(size));
  return true;
}

bool PickleMachine::push_container(unsigned char opcode) {
  switch (opcode) {
    case ')':  // EMPTY_TUPLE
      push(Kind::kTuple);
      return true;
    case ']':  // EMPTY_LIST
      push(Kind::kList);
      return true;
    case '}':  // EMPTY_DICT
      push(Kind::kDict);
      return true;
    case 0x8f:  // EMPTY_SET
      push(Kind::kSet);
      return true;
    case 't':  // TUPLE
      push_items(Kind::kTuple, pop_to_mark());
      return true;
    case 0x85:  // TUPLE1 … TUPLE3
    case 0x86:
    case 0x87:
      push_items(Kind::kTuple, pop_count(opcode - 0x84u));
      return true;
    case 'l':  // LIST
      push_items(Kind::kList, pop_to_mark());
      return true;
    case 0x91:  // FROZENSET
      push_items(Kind::kSet, pop_to_mark());
      return true;
    case 'd': {  // DICT
      const std::vector<Ref> items = pop_to_mark();
      push(Kind::kDict);
      set_items(stack_.back(), items);
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::fill_container(unsigned char opcode) {
  std::vector<Ref> items;
  switch (opcode) {
    case 'a':  // APPEND
      items = pop_count(1);
      append_to(top(), items);
      return true;
    case 'e':   // APPENDS
    case 0x90:  // ADDITEMS
      items = pop_to_mark();
      append_to(top(), items);
      return true;
    case 's':  // SETITEM
      items = pop_count(2);
      set_items(top(), items);
      return true;
    case 'u':  // SETITEMS
      items = pop_to_mark();
      set_items(top(), items);
      return true;
    default:
      return false;
  }
}

bool PickleMachine::use_memo(unsigned char opcode) {
  switch (opcode) {
    case 'q':  // BINPUT
      memoize(bytes_.number<std::uint8_t>(), top());
      return true;
    case 'r':  // LONG_BINPUT
      memoize(bytes_.number<std::uint32_t>(), top());
      return true;
    case 'p':  // PUT
      memoize(number_of_line<std::uint64_t>(bytes_.line()), top());
      return true;
    case 0x94:  // MEMOIZE
      memoize(memo_.size(), top());
      return true;
    case 'h':  // BINGET
      recall(bytes_.number<std::uint8_t>());
      return true;
    case 'j':  // LONG_BINGET
      recall(bytes_.number<std::uint32_t>());
      return true;
    case 'g':  // GET
      recall(number_of_line<std::uint64_t>(bytes_.line()));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::use_object(unsigned char opcode) {
  switch (opcode) {
    case 'c': {  // GLOBAL
      const std::string_view module = bytes_.line();
      push_global(module, bytes_.line());
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const auto parts = pop_count(2);
      push_global(pickle_.text(parts[0]), pickle_.text(parts[1]));
      return true;
    }
    case 'i': {  // INST: names a class and makes an object of it
      const std::string_view module = bytes_.line();
      push_global(module, bytes_.line());
      const Ref type = pop();
      push_items(Kind::kTuple, pop_to_mark());
      instantiate(type, pop());
      return true;
    }
    case 'R': {  // REDUCE
      const auto parts = pop_count(2);
      call(parts[0], parts[1]);
      return true;
    }
    case 0x81: {  // NEWOBJ
      const auto parts = pop_count(2);
      instantiate(parts[0], parts[1]);
      return true;
    }
    case 0x92: {  // NEWOBJ_EX: with named arguments, which only classes of unknown content take
      const auto parts = pop_count(3);
      instantiate(parts[0], parts[1]);
      return true;
    }
    case 'o': {  // OBJ: a class and its arguments above a mark
      std::vector<Ref> parts = pop_to_mark();
      check<FormatError>(!parts.empty(), "its pickle makes an object of no class: it is damaged");
      push_items(Kind::kTuple, {parts.begin() + 1, parts.end()});
      instantiate(parts[0], pop());
      return true;
    }
    case 'b': {  // BUILD: attributes of an object, which no weights need but those of TorchScript modules
      const Ref attributes = pop();
      const Ref target = top();
      if (modules_.contains(target)) return set_attributes(target, attributes);
      check<FormatError>(pickle_.is(target, Kind::kDict) || is_opaque(target),
                         "its pickle sets attributes of something that is no object: it is damaged or hostile");
      return true;
    }
    case 'Q':  // BINPERSID
      push_items(Kind::kPersistent, pop_count(1));
      return true;
    default:
      return false;
  }
}

// Returns whether the pickle goes on.
bool PickleMachine::step(unsigned char opcode) {
  switch (opcode) {
    case '.':  // STOP
      return false;
    case '(':  // MARK
      marks_.push_back(stack_.size());
      return true;
    case '0':  // POP
      stack_.size() > floor() ? static_cast<void>(pop()) : static_cast<void>(pop_to_mark());
      return true;
    case '1':  // POP_MARK
      pop_to_mark();
      return true;
    case '2':  // DUP
      stack_.push_back(top());
      return true;
    case 0x80: {  // PROTO
      const auto protocol = bytes_.number<std::uint8_t>();
      check<FormatError>(protocol <= 5, "is a pickle of protocol {}; protocols 0 to 5 are known", protocol);
      return true;
    }
    case 0x95:  // FRAME: the length of what follows, which is read opcode by opcode all the same
      bytes_.take(8);
      return true;
    default:
      break;
  }
  const bool known = push_plain(opcode) || push_text(opcode) || push_container(opcode) || fill_container(opcode) ||
                     use_memo(opcode) || use_object(opcode);
  check<FormatError>(known,
                     "its pickle has the opcode 0x{:02x} at byte {}, which no weights need: it is damaged or hostile",
                     opcode, bytes_.offset() - 1);
  return true;
}

Pickle Pickle::parse(std::span<const std::byte> bytes, std::span<const PickleGlobal> globals) {
  return PickleMachine(bytes, globals).run();
}

std::string_view Pickle::text(Ref value) const {
  const Value& v = values_[value];
  if (v.kind == Kind::kGlobal) return globals_[static_cast<std::size_t>(v.integer)].name;
  if (v.kind != Kind::kText && v.kind != Kind::kHuge) return {};
  return {v.text.data, v.text.size};
}

std::span<const Pickle::Ref> Pickle::items(Ref value) const {
  const std::uint32_t children = values_[value].children;
  return children == 0 ? std::span<const Ref>() : std::span<const Ref>(children_[children - 1]);
}

std::optional<Ref> Pickle::find(Ref dict, std::string_view key) const {
  const auto entries = items(dict);
  std::optional<Ref> found;
  for (std::size_t i = 0; is(dict, Kind::kDict) && i + 1 < entries.size(); i += 2) {
    if (is(entries[i], Kind::kText) && text(entries[i]) == key) found = entries[i + 1];
  }
  return found;
}

std::string_view Pickle::callee(Ref value) const {
  return is(value, Kind::kObject) && !items(value).empty() ? text(items(value)[0]) : std::string_view();
}

}  // namespace domainfusion
