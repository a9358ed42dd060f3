//! strongroom-os
