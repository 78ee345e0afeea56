/* LiteRT's C interface, as far as the runner needs it: the prototypes of ai-edge-litert 2.3,
   written by hand and resolved at run time, so that building needs neither headers nor library.
   Handles are opaque pointers; every function returns a status, 0 for success. */

#ifndef LITERT_H
#define LITERT_H

#include <stddef.h>
#include <stdint.h>

#define MAX_RANK 8

typedef struct {
  int32_t element_type;
  uint32_t rank : 7, has_strides : 1;
  int32_t dimensions[MAX_RANK];
  uint32_t strides[MAX_RANK];
} TensorType;

typedef struct {
  const char *tag;
  uint64_t type; /* 2: an op; 8: an op inside a delegate; 1 and 32: whole run, telemetry */
  uint64_t start_us, elapsed_us;
  uint64_t memory[6];
  uint64_t index, subgraph;
  uint64_t source;
} ProfilerEvent;

enum { ACCELERATOR_CPU = 1, FOR_READING = 0, FOR_WRITING = 1 };

#define LITERT_FUNCTIONS(F)                                                                       \
  F(LiteRtCreateEnvironment, (int, const void *, void **))                                        \
  F(LiteRtCreateModelFromFile, (void *, const char *, void **))                                   \
  F(LiteRtGetModelSignature, (void *, size_t, void **))                                           \
  F(LiteRtGetSignatureSubgraph, (void *, void **))                                                \
  F(LiteRtGetSubgraphInput, (void *, size_t, void **))                                            \
  F(LiteRtGetSubgraphOutput, (void *, size_t, void **))                                           \
  F(LiteRtGetNumSignatureInputs, (void *, size_t *))                                              \
  F(LiteRtGetNumSignatureOutputs, (void *, size_t *))                                             \
  F(LiteRtGetSignatureInputTensorByIndex, (void *, size_t, void **))                              \
  F(LiteRtGetSignatureOutputTensorByIndex, (void *, size_t, void **))                             \
  F(LiteRtGetTensorName, (void *, const char **))                                                 \
  F(LiteRtGetRankedTensorType, (void *, TensorType *))                                            \
  F(LiteRtCreateOptions, (void **))                                                               \
  F(LiteRtSetOptionsHardwareAccelerators, (void *, int))                                          \
  F(LiteRtCreateOpaqueOptions, (const char *, void *, void (*)(void *), void **))                 \
  F(LiteRtAddOpaqueOptions, (void *, void *))                                                     \
  F(LiteRtCreateCompiledModel, (void *, void *, void *, void **))                                 \
  F(LiteRtGetCompiledModelInputBufferRequirements, (void *, size_t, size_t, void **))             \
  F(LiteRtGetCompiledModelOutputBufferRequirements, (void *, size_t, size_t, void **))            \
  F(LiteRtCreateManagedTensorBufferFromRequirements,                                              \
    (void *, const TensorType *, void *, void **))                                                \
  F(LiteRtGetTensorBufferPackedSize, (void *, size_t *))                                          \
  F(LiteRtLockTensorBuffer, (void *, void **, int))                                               \
  F(LiteRtUnlockTensorBuffer, (void *))                                                           \
  F(LiteRtRunCompiledModel, (void *, size_t, size_t, void **, size_t, void **))                   \
  F(LiteRtCompiledModelGetProfiler, (void *, void **))                                            \
  F(LiteRtStartProfiler, (void *))                                                                \
  F(LiteRtStopProfiler, (void *))                                                                 \
  F(LiteRtResetProfiler, (void *))                                                                \
  F(LiteRtGetNumProfilerEvents, (void *, int *))                                                  \
  F(LiteRtGetProfilerEvents, (void *, int, ProfilerEvent *))

/* Hidden, since the library's own calls would find the pointers instead of its functions. */
#define DECLARE(name, arguments) extern __attribute__((visibility("hidden"))) int(*name) arguments;
LITERT_FUNCTIONS(DECLARE)
#undef DECLARE

/* Ends the program with a message that names the function and the file when a call fails. */
#define CHECK(call, path)                                                                         \
  do {                                                                                            \
    int status = (call);                                                                          \
    if (status) fail("%s: %.*s failed with LiteRT status %d", path,                               \
                     (int)strcspn(#call, "("), #call, status);                                    \
  } while (0)

void open_library(const char *path);

#endif
