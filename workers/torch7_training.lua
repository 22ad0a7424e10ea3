-- Training and prediction: one call an epoch, the batches' loop in here.

local recipes = dofile((debug.getinfo(1, 'S').source:match('^@(.*)training%.lua$')) .. 'recipe.lua')

local Training = {}
Training.__index = Training

-- front: what stands before the first module with parameters, and so has no gradient; body: the rest.
-- decay: 1 for the parameters that decay, else 0; nil: all do.
local function new(front, body, optimiser, loss, batch_size, clip_norm)
   local self = setmetatable({front = front, body = body, batch_size = batch_size, clip_norm = clip_norm}, Training)
   self.parameters, self.gradients = body:getParameters()
   self.weight_decay, self.update, self.loss =
      optimiser.weight_decay, recipes.optimisers[optimiser.kind](optimiser), recipes.losses[loss.kind](loss)
   return self
end

function Training:set_decayed(decayed)
   self.decayed = decayed
end

-- Bound the global norm of the loss's gradient, then add the decay.
function Training:change_gradients()
   local d, w = self.gradients, self.parameters
   if self.clip_norm then
      local norm = d:norm()
      if norm > self.clip_norm then
         d:mul(self.clip_norm / norm)
      end
   end
   if self.weight_decay > 0 and self.decayed then
      d:addcmul(self.weight_decay, self.decayed, w)
   elseif self.weight_decay > 0 then
      d:add(self.weight_decay, w)
   end
end

-- Return the sum of the rows' losses.
function Training:epoch(x, targets, rates)
   local front, body, rows, total = self.front, self.body, x:size(1), 0
   front:training()
   body:training()
   for step = 1, rates:size(1) do
      local first = (step - 1) * self.batch_size + 1
      local count = math.min(self.batch_size, rows - first + 1)
      local batch, wanted = x:narrow(1, first, count), targets:narrow(1, first, count)
      local function evaluate()
         self.gradients:zero()
         local features = front:forward(batch)
         local loss, gradient = self.loss(body:forward(features), wanted)
         body:backward(features, gradient)
         self:change_gradients()
         total = total + loss * count
         return loss, self.gradients
      end
      self.update(evaluate, self.parameters, rates[step])
   end
   return total
end

-- Return the outputs for all rows, in batches of at most ``size``.
function Training:predict(x, size)
   local rows, all = x:size(1), nil
   self.front:evaluate()
   self.body:evaluate()
   for first = 1, rows, size do
      local count = math.min(size, rows - first + 1)
      local outputs = self.body:forward(self.front:forward(x:narrow(1, first, count)))
      if all == nil then
         local sizes = outputs:size()
         sizes[1] = rows
         all = outputs.new(sizes)
      end
      all:narrow(1, first, count):copy(outputs)
   end
   return all
end

return {new = new}
