// Exists so that the precompiled header is built once for all modules.
