"""The Java virtual machine in this process: its jars, its start, and arrays that cross to it and back."""

import functools
import os
import re
import sys
from glob import glob
from typing import Dict

import jpype
import jpype.nio
import numpy as np

org = jpype.JPackage("org")
SHARE = os.path.join(sys.prefix, "share")  # what docker/dl4j/pom.xml names lies there, in images and environments alike
JARS = os.path.join(SHARE, "java", "*.jar")
NATIVE = os.path.join(SHARE, "javacpp")  # where JavaCPP unpacks the jars' native libraries, once


def versions():
    """Return the versions of what computes, as the jars' names and the Java runtime's own file state them."""
    found: Dict[str, str] = {}
    for name in ("deeplearning4j-nn", "nd4j-native", "openblas"):
        pattern = re.compile("/{}-([0-9][^/]*?)(-linux-x86_64)?\\.jar$".format(name))
        found.update((name, match.group(1)) for match in map(pattern.search, glob(JARS)) if match)
    release = os.path.join(jpype.getDefaultJVMPath(), "..", "..", "..", "release")
    with open(os.path.normpath(release)) as file:
        found.update(("java", version) for version in re.findall('^JAVA_VERSION="(.*)"', file.read(), re.MULTILINE))
    return dict(found, jpype1=jpype.__version__, numpy=np.__version__)


def start(threads):
    """Start the machine, once per process, and have ND4J load its native library.

    Heap: half of the job's memory; arrays, which lie outside of it, end with an error before all of it is used.
    """
    if jpype.isJVMStarted():
        return
    os.environ["OMP_WAIT_POLICY"] = "passive"  # spinning OpenMP threads were seen to slow small operations tenfold
    memory = int(os.environ.get("BENCH_MEMORY_BYTES") or 0)
    limits = ["-Xmx{}".format(memory // 2), "-Dorg.bytedeco.javacpp.maxphysicalbytes={}".format(memory)]
    jpype.startJVM(
        "-XX:ActiveProcessorCount={}".format(threads),
        "-XX:+UseSerialGC",  # the heap holds little, and no collector's threads are added to those asked for
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.bytedeco.javacpp.cachedir={}".format(NATIVE),
        *(limits if memory else []),
        # Unpacked ones first: those are loaded as they lie there, so that a container needs no folder to write to.
        classpath=glob(os.path.join(NATIVE, "*")) + glob(JARS),
        convertStrings=False,
    )
    org.nd4j.linalg.factory.Nd4j.create(1)


def data_type(name):
    types = org.nd4j.linalg.api.buffer.DataType
    return {"float32": types.FLOAT, "float64": types.DOUBLE, "int32": types.INT}[name]


def longs(shape):
    return jpype.JLong[:](list(shape))


def shared(array):
    """Return an INDArray over a NumPy array's own memory; the array must outlive it."""
    nd4j = org.nd4j.linalg.factory.Nd4j
    buffer = jpype.nio.convertToDirectBuffer(memoryview(array.reshape(-1)).cast("B"))
    buffer.order(jpype.java.nio.ByteOrder.nativeOrder())
    return nd4j.create(nd4j.createBuffer(buffer, data_type(array.dtype.name), array.size, 0), longs(array.shape))


def to_numpy(array):
    """Return a copy of an INDArray of floats."""
    double = array.dataType() == data_type("float64")
    data = array.dup("c").data()
    return np.array(data.asDouble() if double else data.asFloat()).reshape([int(n) for n in array.shape()])


def memory_errors(method):
    """Java's out-of-memory errors as Python's, whatever their package."""

    @functools.wraps(method)
    def called(*arguments):
        try:
            return method(*arguments)
        except jpype.JException as error:
            if type(error).__name__.endswith("OutOfMemoryError"):
                raise MemoryError(str(error)) from error
            raise

    return called
