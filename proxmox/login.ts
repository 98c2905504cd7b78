/** How to log in to the PVE API. */
export type Login =
  | { kind: "token" /** `user@realm!name` */; id: string; secret: string }
  | { kind: "password" /** `user@realm` */; username: string; password: string };
