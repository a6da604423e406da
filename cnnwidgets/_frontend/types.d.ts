declare module "*.css" {
  const nothing: undefined;
  export default nothing;
}
