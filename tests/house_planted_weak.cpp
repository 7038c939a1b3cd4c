// What house.isa_objects must catch: an inline function of a header leaves a weak symbol in the object.
namespace iskra::planted {

[[gnu::noinline]] inline int weak(int x) { return 3 * x; }

int caller(int x);
int caller(int x) { return weak(x) + 1; }

}  // namespace iskra::planted
