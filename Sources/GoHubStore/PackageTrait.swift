#if !Store
#error("GoHubStore needs swift-crypto, which comes with the package trait Store.")
#endif
