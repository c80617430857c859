{
  "targets": [
    {
      "target_name": "sluice_engine",
      "sources": [
        "src/binding.cc",
        "src/loop.cc",
        "src/pipe-pool.cc",
        "src/relay.cc",
        "src/sockets.cc"
      ],
      # The last: a worker may be terminated while the engine is about to call into it; that is no fatal error.
      "defines": ["NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti", "-fno-exceptions"],
      "cflags_cc": ["-std=c++20", "-O2", "-isystem", "<!(cd .. && pwd)/node_modules/node-addon-api", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"],
      "conditions": [
        ["'<!(echo ${SLUICE_SANITIZE:-})' != ''", {
          "cflags_cc": ["-fsanitize=address,undefined", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined", "-O1", "-g"],
          "ldflags": ["-fsanitize=address,undefined"]
        }]
      ]
    }
  ]
}
