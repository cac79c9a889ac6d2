// What a bundler gives for a file of kernels: its address or its bytes.
declare module '*.wasm' {
  const kernels: string | Uint8Array<ArrayBuffer>;
  export default kernels;
}
