// Every pointwise op, once for both devices: a struct of the op's name with the function f and its
// derivatives, for float and double. An op listed in pointwise_list.h and defined here is complete.
#pragma once

#include <iskra/kernels/pointwise_activations.h>
#include <iskra/kernels/pointwise_binary.h>
#include <iskra/kernels/pointwise_unary.h>
