"""Plain Deeplearning4j, from Python: its examples' configuration, init, fit and output. Prints the seconds."""

import argparse
import json
import os
import sys
import time
from glob import glob

import jpype.imports
import jpype.nio
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, default=1, help="of the JVM; those of the operations: OMP_NUM_THREADS")
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

os.environ["OMP_WAIT_POLICY"] = "passive"
if not jpype.isJVMStarted():  # a process has one, whatever runs in it
    jpype.startJVM(
        f"-XX:ActiveProcessorCount={a.threads}",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.bytedeco.javacpp.cachedir=" + os.path.join(sys.prefix, "share", "javacpp"),
        classpath=glob(os.path.join(sys.prefix, "share", "java", "*.jar")),
    )
from org.deeplearning4j.nn.conf import ConvolutionMode, NeuralNetConfiguration
from org.deeplearning4j.nn.conf.inputs import InputType
from org.deeplearning4j.nn.conf.layers import ConvolutionLayer, DenseLayer, OutputLayer, PoolingType, SubsamplingLayer
from org.deeplearning4j.nn.multilayer import MultiLayerNetwork
from org.nd4j.linalg.activations import Activation
from org.nd4j.linalg.api.buffer import DataType
from org.nd4j.linalg.dataset import DataSet, ViewIterator
from org.nd4j.linalg.factory import Nd4j
from org.nd4j.linalg.learning.config import Nesterovs
from org.nd4j.linalg.lossfunctions.LossFunctions import LossFunction


def to_nd4j(array):
    buffer = jpype.nio.convertToDirectBuffer(memoryview(array.ravel()).cast("B"))
    buffer.order(jpype.java.nio.ByteOrder.nativeOrder())
    return Nd4j.create(Nd4j.createBuffer(buffer, DataType.FLOAT, array.size, 0), jpype.JLong[:](array.shape))


images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
labels = np.eye(10, dtype=np.float32)[np.load(a.data_folder + "/train_y.npy").ravel()]
pool = SubsamplingLayer.Builder(PoolingType.MAX).kernelSize(2, 2).stride(2, 2)
conv = [
    ConvolutionLayer.Builder(5, 5).nOut(8).activation(Activation.RELU).build(),
    pool.build(),
    ConvolutionLayer.Builder(3, 3).nOut(16).convolutionMode(ConvolutionMode.Same).activation(Activation.RELU).build(),
    pool.build(),
]
hidden = conv if a.workload == "cnn" else [DenseLayer.Builder().nOut(100).activation(Activation.TANH).build()]
output = OutputLayer.Builder(LossFunction.MCXENT).nOut(10).activation(Activation.SOFTMAX).build()
builder = NeuralNetConfiguration.Builder().seed(jpype.JLong(a.seed)).updater(Nesterovs(0.01, 0.9))
model = MultiLayerNetwork(builder.list(*hidden, output).setInputType(InputType.convolutional(28, 28, 1)).build())
model.init()

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    x, y = images[order], labels[order]
    data = DataSet(to_nd4j(x), to_nd4j(y))
    start = time.perf_counter()
    model.fit(ViewIterator(data, 128))
    epoch_seconds.append(time.perf_counter() - start)
no_labels = np.zeros((len(test_images), 10), np.float32)  # the iterator cuts them too
tests = DataSet(to_nd4j(test_images), to_nd4j(no_labels))
predict_seconds = []
for _ in range(10):
    start = time.perf_counter()
    outputs = np.array(model.output(ViewIterator(tests, 512)).data().asFloat())
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
