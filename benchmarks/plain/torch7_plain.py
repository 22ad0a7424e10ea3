"""Plain Torch7, from Python: the loop of its tutorials with optim.sgd, in Lua. Prints {"epoch_seconds": [...], ...}."""

import argparse
import json
import os
import sys
import time

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy (uint8 images) and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

os.environ["OMP_WAIT_POLICY"] = "passive"
sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
import lupa

lua = lupa.LuaRuntime(unpack_returned_tuples=True)
to_torch, train_epoch, predict = lua.execute("""
require 'torch'; require 'nn'; require 'optim'
local ffi = require 'ffi'
torch.setdefaulttensortype('torch.FloatTensor')
local conv = nn.Sequential()
   :add(nn.SpatialConvolution(1, 8, 5, 5)):add(nn.ReLU()):add(nn.SpatialMaxPooling(2, 2))
   :add(nn.SpatialConvolution(8, 16, 3, 3, 1, 1, 1, 1)):add(nn.ReLU()):add(nn.SpatialMaxPooling(2, 2))
   :add(nn.View(-1, 576)):add(nn.Linear(576, 10))
local mlp = nn.Sequential():add(nn.Linear(784, 100)):add(nn.Tanh()):add(nn.Linear(100, 10))
local models, state = {mlp = mlp, cnn = conv}, {learningRate = 0.01, momentum = 0.9, dampening = 0, nesterov = true}
local criterion, model, parameters, gradients = nn.CrossEntropyCriterion()

local function to_torch(address, rows, ...)
   local tensor = torch.FloatTensor(rows, ...)
   ffi.copy(tensor:data(), ffi.cast('void *', address), tensor:nElement() * 4)
   return tensor
end

local function train_epoch(workload, x, y)
   if model == nil then
      model = models[workload]
      model:get(1).gradInput = nil -- nothing asks for the gradient of the images
      parameters, gradients = model:getParameters()
   end
   for first = 1, x:size(1), 128 do
      local size = math.min(128, x:size(1) - first + 1)
      local xb, yb = x:narrow(1, first, size), y:narrow(1, first, size)
      optim.sgd(function()
         gradients:zero()
         local outputs = model:forward(xb)
         local loss = criterion:forward(outputs, yb)
         model:backward(xb, criterion:backward(outputs, yb))
         return loss, gradients
      end, parameters, state)
   end
end
local function predict(x)
   model:evaluate()
   local all
   for first = 1, x:size(1), 512 do
      local outputs = model:forward(x:narrow(1, first, math.min(512, x:size(1) - first + 1)))
      all = all or torch.FloatTensor(x:size(1), outputs:size(2))
      all:narrow(1, first, outputs:size(1)):copy(outputs)
   end
end
return to_torch, train_epoch, predict
""")
lua.eval("torch.setnumthreads")(a.threads)
shape = [-1, 784] if a.workload == "mlp" else [-1, 1, 28, 28]
images = np.load(a.data_folder + "/train_x.npy").reshape(shape).astype(np.float32) / np.float32(255)
tests = np.load(a.data_folder + "/test_x.npy").reshape(shape).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").ravel().astype(np.float32) + 1

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    x, y = images[order], labels[order]
    tensors = to_torch(x.ctypes.data, *x.shape), to_torch(y.ctypes.data, len(y))
    start = time.perf_counter()
    train_epoch(a.workload, *tensors)
    epoch_seconds.append(time.perf_counter() - start)
rows, predict_seconds = to_torch(tests.ctypes.data, *tests.shape), []
for _ in range(10):
    start = time.perf_counter()
    predict(rows)
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
