# ONNX Runtime from a system installation, a prefix, or two places of their own, as OnnxRuntime::OnnxRuntime.
#
#   OnnxRuntime_INCLUDE_DIR   the folder of onnxruntime_cxx_api.h
#   OnnxRuntime_LIBRARY       libonnxruntime.so or a link to it
#
# Releases of ONNX Runtime and packages of distributions are found through CMAKE_PREFIX_PATH.
find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_cxx_api.h
  PATH_SUFFIXES onnxruntime onnxruntime/core/session)
find_library(OnnxRuntime_LIBRARY NAMES onnxruntime libonnxruntime.so.1)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxRuntime
  REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR
  REASON_FAILURE_MESSAGE
    "Debian 13: libonnxruntime-dev. Elsewhere: a release, its folder in CMAKE_PREFIX_PATH.")
if(OnnxRuntime_FOUND AND NOT TARGET OnnxRuntime::OnnxRuntime)
  add_library(OnnxRuntime::OnnxRuntime UNKNOWN IMPORTED)
  set_target_properties(OnnxRuntime::OnnxRuntime PROPERTIES
    IMPORTED_LOCATION "${OnnxRuntime_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OnnxRuntime_INCLUDE_DIR}")
endif()
mark_as_advanced(OnnxRuntime_INCLUDE_DIR OnnxRuntime_LIBRARY)
