//! strongroom-engine-cubbyhole
