/** Text that does harm where it becomes HTML, or ends a script element or a line of it. */
export const hostile =
  "</script><script>globalThis.harmed = 1</script><img src=x onerror=\"globalThis.harmed = 2\"> &amp; \u2028\u2029 <!-- ]]>"
