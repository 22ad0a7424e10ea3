-- The spec's losses and optimisers: nn's and optim's where those have the spec's form.

-- A loss makes a function of outputs and targets that returns the mean over the rows and its gradient by the outputs.
local losses = {}

function losses.categorical_cross_entropy(options)
   local log_softmax, likelihood = nn.LogSoftMax(), nn.ClassNLLCriterion()
   return function(outputs, targets)
      local flat, classes = outputs:view(-1, outputs:size(outputs:dim())), targets:view(-1)
      local log_p = log_softmax:forward(flat)
      local loss = likelihood:forward(log_p, classes)
      local gradient = log_softmax:backward(flat, likelihood:backward(log_p, classes))
      local steps = options.over_steps == 'sum' and flat:size(1) / outputs:size(1) or 1
      if steps > 1 then
         gradient:mul(steps)
      end
      return loss * steps, gradient:viewAs(outputs)
   end
end

-- Of logits, where nn.BCECriterion takes probabilities and clips them: max(x, 0) - x y + log(1 + exp(-|x|)).
function losses.binary_cross_entropy(options)
   local gradient, values = torch.Tensor(), torch.Tensor()
   return function(outputs, targets)
      local count = options.over_outputs == 'sum' and outputs:size(1) or outputs:nElement()
      values:resizeAs(outputs):abs(outputs):mul(-1):exp():log1p()
      values:addcmul(-1, outputs, targets):add(torch.cmax(outputs, 0))
      gradient:resizeAs(outputs):sigmoid(outputs):add(-1, targets):div(count)
      return values:sum() / count, gradient
   end
end

function losses.mean_squared_error(options)
   local criterion = nn.MSECriterion()
   return function(outputs, targets)
      local factor = options.over_outputs == 'sum' and outputs:nElement() / outputs:size(1) or 1
      local loss, gradient = criterion:forward(outputs, targets), criterion:backward(outputs, targets)
      if factor > 1 then
         gradient:mul(factor)
      end
      return loss * factor, gradient
   end
end

-- An optimiser makes a function that takes one step: of evaluate, which returns loss and gradient, the parameters and
-- the rate. The state goes on from step to step.
local optimisers = {}

function optimisers.sgd(o)
   local config, state = {momentum = o.momentum, dampening = 0, nesterov = o.nesterov and o.momentum > 0}, {}
   return function(evaluate, w, rate)
      if o.velocity == 'step' and state.dfdx and rate ~= config.learningRate then
         state.dfdx:mul(config.learningRate / rate) -- optim's velocity is the gradient's: keeps rate * velocity
      end
      config.learningRate = rate
      optim.sgd(evaluate, w, config, state)
   end
end

function optimisers.adam(o)
   local config, state, steps = {beta1 = o.beta_1, beta2 = o.beta_2, epsilon = o.epsilon}, {}, 0
   return function(evaluate, w, rate)
      steps = steps + 1
      if o.epsilon_form == 'corrected' then -- optim's is the other form
         config.epsilon = o.epsilon * math.sqrt(1 - o.beta_2 ^ steps)
      end
      config.learningRate = rate
      optim.adam(evaluate, w, config, state)
   end
end

-- optim.adadelta has no rate.
function optimisers.adadelta(o)
   local squares, steps, step, root
   return function(evaluate, w, rate)
      local _, d = evaluate(w)
      if squares == nil then
         squares, steps = w:clone():zero(), w:clone():zero()
         step, root = w:clone(), w:clone()
      end
      squares:mul(o.rho):addcmul(1 - o.rho, d, d)
      root:copy(squares):add(o.epsilon):sqrt()
      step:copy(steps):add(o.epsilon):sqrt():cmul(d):cdiv(root)
      steps:mul(o.rho):addcmul(1 - o.rho, step, step)
      w:add(-rate, step)
   end
end

function optimisers.rmsprop(o)
   local config, state = {alpha = o.rho, epsilon = o.epsilon}, {}
   local squares, root
   return function(evaluate, w, rate)
      if o.epsilon_form == 'outside' then
         config.learningRate = rate
         optim.rmsprop(evaluate, w, config, state)
         return
      end
      local _, d = evaluate(w)
      if squares == nil then
         squares, root = w:clone():zero(), w:clone()
      end
      squares:mul(o.rho):addcmul(1 - o.rho, d, d)
      w:addcdiv(-rate, d, root:copy(squares):add(o.epsilon):sqrt())
   end
end

return {losses = losses, optimisers = optimisers}
