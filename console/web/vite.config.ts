import { defineConfig } from "vite";

// Relative addresses: the console works under any path of an Ingress.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/tuning_console/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Inlined files would be data: addresses, which the Content-Security-Policy takes for images alone.
    assetsInlineLimit: 0,
    // The licences of what is bundled ask for their texts beside it.
    license: { fileName: "THIRD-PARTY-NOTICES.md" },
  },
});
