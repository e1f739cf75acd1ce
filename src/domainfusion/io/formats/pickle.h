#pragma once
// Python pickles, read as data: nothing is imported, called or executed.
//
// A pickle is a program for a stack machine (Python's pickletools lists its opcodes). This reader runs the opcodes that
// build values (protocols 0 to 5). Where a pickle names a Python object, the caller's list says what becomes of it;
// where it calls one, the call is recorded as a value. Everything else is a FormatError that names the opcode or the
// object.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace domainfusion {

// A Python object that a pickle may name.
struct PickleGlobal {
  enum class Use {
    kName,       // may be named, never called
    kForbidden,  // may not be named
    kOpaque,     // whatever it makes is an object of unknown content: neither arguments nor what is set on it are kept
    kCall,       // calling it is recorded with its arguments
    kDict,       // calling it makes a dict
    kModule  // a TorchScript class: instantiating it (NEWOBJ) makes a dict, which the attributes set on it (BUILD) fill
  };
  std::string_view name;  // "torch.FloatStorage"; with a "." at its end: everything below it; empty: every name
  Use use;
};

class Pickle {
 public:
  using Ref = std::uint32_t;  // a value; the same Python object is the same Ref, so that cycles are possible
  enum class Kind : std::uint8_t {
    kNone,
    kBool,
    kInteger,
    kHuge,
    kReal,
    kText,
    kTuple,
    kList,
    kSet,
    kDict,
    kGlobal,
    kObject,
    kPersistent
  };

  // Reads one pickle from the start of `bytes`, which the values point into. Of `globals` the first entry that fits a
  // name counts; a name that none fits may not be named. Memory stays in proportion to the pickle's length. FormatError
  // without a path.
  static Pickle parse(std::span<const std::byte> bytes, std::span<const PickleGlobal> globals);

  std::size_t bytes_read() const { return bytes_read_; }
  Ref root() const { return root_; }
  std::size_t size() const { return values_.size(); }  // every Ref is below it

  Kind kind(Ref value) const { return values_[value].kind; }
  bool is(Ref value, Kind kind) const { return values_[value].kind == kind; }
  std::int64_t integer(Ref value) const { return values_[value].integer; }  // also of kBool
  double real(Ref value) const { return values_[value].real; }
  // Of kText, kHuge (its little-endian bytes, or its digits in a text pickle), kGlobal ("module.name").
  std::string_view text(Ref value) const;
  // Of kTuple, kList, kSet: the items. kDict: key, value, key, value … kObject: what was called or instantiated, then
  // the arguments' tuple, if there is one. kPersistent: the identity.
  std::span<const Ref> items(Ref value) const;
  // The value of a text key; the last one wins, as in Python.
  std::optional<Ref> find(Ref dict, std::string_view key) const;
  // The name of the global that an object was made by; empty for other values.
  std::string_view callee(Ref value) const;
  // The names that made objects of unknown content, in the order of their first use.
  const std::vector<std::string>& opaque() const { return opaque_; }

 private:
  friend class PickleMachine;
  struct Value {
    Kind kind;
    std::uint32_t children = 0;  // 1 + index of its items; 0: none
    union {
      std::int64_t integer;
      double real;
      struct {
        const char* data;
        std::uint32_t size;
      } text;
    };
  };

  struct NamedGlobal {
    std::string name;
    PickleGlobal::Use use;
    bool used = false;  // of kOpaque: an object was made by it
  };

  std::vector<Value> values_;
  std::vector<std::vector<Ref>> children_;
  std::vector<NamedGlobal> globals_;  // each name once; a kGlobal's integer is its index
  std::vector<std::string> opaque_;
  Ref root_ = 0;
  std::size_t bytes_read_ = 0;
};

}  // namespace domainfusion
