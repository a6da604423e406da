declare module "*.css" {
  const nothing: void;
  export default nothing;
}
