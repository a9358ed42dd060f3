//! strongroom-engine-kv
