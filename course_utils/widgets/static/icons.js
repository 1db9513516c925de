// @ts-check
// Outlines of icons in a box of 16 by 16.

export const SNOWFLAKE = [
  "M8 .8V15.2M1.8 4.4L14.2 11.6M14.2 4.4L1.8 11.6M6 2.2L8 4L10 2.2M6 13.8L8 12L10 13.8",
  "M2 7L4.4 5.9L4.1 3.2M14 9L11.6 10.1L11.9 12.8M14 7L11.6 5.9L11.9 3.2M2 9L4.4 10.1L4.1 12.8",
].join("");

export const FLAME = [
  "M8.4.8C9 4 13 6 13 10.2A5 5 0 0 1 8 15.2A5 5 0 0 1 3 10.2C3 8 4.4 6.8 4.6 4.8",
  "C5.8 5.6 6.3 6.6 6.4 7.6C7.8 6 8.6 3.6 8.4.8Z",
].join("");
