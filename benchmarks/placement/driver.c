/* A graphics processor that answers and computes nothing: enough of CUDA for ONNX Runtime to assign nodes.

   Each part is compiled into a library of its own (scripts/placement.sh): the driver and TensorRT, which the
   providers are linked to, and calls of the CUDA runtime, cuBLAS and cuDNN, which are taken in place of
   theirs. A session fails as soon as it creates kernels; assignments are logged before that. */
#ifdef DRIVER
int cuTensorMapEncodeTiled(void) { return 100; }
#endif

#ifdef TENSORRT
long getInferLibVersion(void) { return 0; }
void *createInferBuilder_INTERNAL(void) { return 0; }
void *createInferRefitter_INTERNAL(void) { return 0; }
void *createInferRuntime_INTERNAL(void) { return 0; }
void *getPluginRegistry(void) { return 0; }
void *createNvOnnxParser_INTERNAL(void) { return 0; }
void *createNvOnnxParserRefitter_INTERNAL(void) { return 0; }
#endif

#ifdef RUNTIME
#include <string.h>
static void *const something = (void *)4096;

int cudaSetDevice(int device) { return 0; }
int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaGetDeviceProperties(void *found, int device) { memset(found, 0, 700); return 0; }
int cudaGetDeviceProperties_v2(void *found, int device) { memset(found, 0, 700); return 0; }
int cudaDeviceGetAttribute(int *value, int name, int device) { *value = 90; return 0; }
int cudaMemGetInfo(unsigned long *left, unsigned long *all) { *left = *all = 1UL << 33; return 0; }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) { *stream = something; return 0; }
int cudaStreamDestroy(void *stream) { return 0; }
int cudaStreamSynchronize(void *stream) { return 0; }
int cudaEventCreateWithFlags(void **event, unsigned flags) { *event = something; return 0; }
int cudaEventDestroy(void *event) { return 0; }
int cudaGetLastError(void) { return 0; }
int cudaDeviceSynchronize(void) { return 0; }
int cudaMalloc(void **place, unsigned long bytes) { *place = something; return 0; }
int cudaFree(void *place) { return 0; }
int cublasCreate_v2(void **handle) { *handle = something; return 0; }
int cublasDestroy_v2(void *handle) { return 0; }
int cublasSetStream_v2(void *handle, void *stream) { return 0; }
int cublasSetWorkspace_v2(void *handle, void *place, unsigned long bytes) { return 0; }
int cublasSetMathMode(void *handle, int mode) { return 0; }
int cublasLtCreate(void **handle) { *handle = something; return 0; }
int cublasLtDestroy(void *handle) { return 0; }
int cudnnCreate(void **handle) { *handle = something; return 0; }
int cudnnDestroy(void *handle) { return 0; }
int cudnnSetStream(void *handle, void *stream) { return 0; }
#endif
