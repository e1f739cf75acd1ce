// Two files of one room with a function of one name: overloads, once the room is one unit.
namespace domainfusion {
namespace {

int name_of(int place) { return place; }

}  // namespace
}  // namespace domainfusion
