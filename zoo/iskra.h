// Everything a model author writes with.
#pragma once

#include <iskra/core/allocator.h>
#include <iskra/core/autocast.h>
#include <iskra/core/autograd.h>
#include <iskra/core/checkpoint.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/core/tensor.h>
#include <iskra/nn/init.h>
#include <iskra/nn/layers.h>
#include <iskra/nn/loss_scaler.h>
#include <iskra/nn/module.h>
#include <iskra/nn/optim.h>
#include <iskra/zoo/data/dataset.h>
#include <iskra/zoo/data/idx.h>
#include <iskra/zoo/data/loader.h>
#include <iskra/zoo/models/registry.h>
#include <iskra/zoo/models/vgg.h>
#include <iskra/zoo/models/vit.h>
#include <iskra/zoo/weights/model_file.h>
