-- Modules of nn and rnn with what the spec wants of them and they have not.

local modules = {}

-- A bias that nn.TemporalConvolution and nn.SeqLSTM cannot be without: at zero, and no parameter.
function modules.without_bias(module)
   module.bias:zero()
   function module:parameters()
      return {self.weight}, {self.gradWeight}
   end
   return module
end

-- An nn.SeqLSTM that goes on from the batch before. Of itself it starts anew where a batch has fewer rows.
function modules.stateful(lstm)
   lstm:remember('both')
   local forward = lstm.updateOutput
   function lstm:updateOutput(input)
      local rows = input:size(2)
      if self.h0:nElement() > 0 and self.cell:size(2) > rows then
         self.cell, self.output = self.cell:narrow(2, 1, rows):clone(), self.output:narrow(2, 1, rows):clone()
         self.h0:resize(rows, self.outputsize)
         self.c0:resize(rows, self.hiddensize)
      end
      return forward(self, input)
   end
   return lstm
end

-- Batch normalisation whose statistics are those of the batch where that is one row, too: nn then takes the running
-- ones. Its positions are as good as rows to it, and a single number comes twice.
function modules.of_one_row(module)
   local forward, backward = module.updateOutput, module.backward
   local along -- the dimension that stands for the rows; nil: all is as nn does it; 1: the row comes twice

   function module:updateOutput(input)
      along = nil
      if not self.train or input:size(1) > 1 then
         return forward(self, input)
      end
      along = 1
      for dimension = 3, input:dim() do
         along = input:size(dimension) > 1 and dimension or along
      end
      self.given = along == 1 and torch.cat(input, input, 1) or input:transpose(1, along)
      local output = forward(self, self.given)
      self.output = (along == 1 and output:narrow(1, 1, 1) or output:transpose(1, along)):contiguous()
      return self.output
   end

   function module:backward(input, gradient, scale)
      if along == nil then
         return backward(self, input, gradient, scale)
      end
      local nothing = gradient:clone():zero()
      local given = along == 1 and torch.cat(gradient, nothing, 1) or gradient:transpose(1, along)
      local found = backward(self, self.given, given, scale)
      self.gradInput = along == 1 and found:sum(1) or found:transpose(1, along):contiguous()
      return self.gradInput
   end
   return module
end

-- Leave out the gradient by the input of the first module, which nobody wants.
function modules.without_input_gradient(net)
   local first = net.modules[1]
   for _, kind in ipairs {'nn.Linear', 'nn.SpatialConvolution', 'nn.TemporalConvolution'} do
      if torch.type(first) == kind then
         first.gradInput = nil
      end
   end
end

return modules
