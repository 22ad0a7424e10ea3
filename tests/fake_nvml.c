/* A library with the functions of NVML that Bakeoff calls, for a machine with two GPUs that are not there.

The tests compile it, and pynvml loads it in the place of NVIDIA's. What it says can be changed from outside. */

#include <stdio.h>
#include <string.h>

#define SUCCESS 0
#define UNINITIALIZED 1
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3

int fake_opened = 0;       /* nvmlInit less nvmlShutdown */
int fake_gpus = 2;
int fake_knows_power = 1;

static int numbers[] = {0, 1};

typedef struct { unsigned int gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Memory;

int nvmlInitWithFlags(unsigned int flags) { fake_opened++; return SUCCESS; }
int nvmlShutdown(void) { fake_opened--; return SUCCESS; }
const char *nvmlErrorString(int code) { return "an error of the fake"; }

static int asked(void *device) {
    if (fake_opened < 1) return UNINITIALIZED;
    return device >= (void *)numbers && device < (void *)(numbers + fake_gpus) ? SUCCESS : INVALID_ARGUMENT;
}

static int number(void *device) { return *(int *)device; }

int nvmlSystemGetDriverVersion(char *text, unsigned int length) {
    if (fake_opened < 1) return UNINITIALIZED;
    snprintf(text, length, "580.1");
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned int *count) { *count = fake_gpus; return fake_opened < 1; }

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    if (index >= (unsigned int)fake_gpus) return INVALID_ARGUMENT;
    *device = numbers + index;
    return asked(*device);
}

int nvmlDeviceGetName(void *device, char *text, unsigned int length) {
    snprintf(text, length, "Fake GPU %d", number(device));
    return asked(device);
}

int nvmlDeviceGetUtilizationRates(void *device, Utilization *rates) {
    rates->gpu = 87 - number(device);
    rates->memory = 12;
    return asked(device);
}

int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    memory->total = 85899345920ULL;
    memory->used = 6442450944ULL;
    memory->free = memory->total - memory->used;
    return asked(device);
}

int nvmlDeviceGetPowerUsage(void *device, unsigned int *milliwatts) {
    *milliwatts = 312500;
    return fake_knows_power ? asked(device) : NOT_SUPPORTED;
}

int nvmlDeviceGetTemperature(void *device, unsigned int sensor, unsigned int *celsius) {
    *celsius = 61;
    return sensor == 0 ? asked(device) : INVALID_ARGUMENT;
}

int nvmlDeviceGetClockInfo(void *device, unsigned int type, unsigned int *mhz) {
    unsigned int clocks[] = {1100, 1755, 2619}; /* graphics, SM, memory */
    if (type > 2) return INVALID_ARGUMENT;
    *mhz = clocks[type];
    return asked(device);
}
