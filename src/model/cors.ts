/** `http.cors` of langgraph.json, with its defaults filled in. */
export interface CorsSettings {
  allow_origins: string[];
  /** When given, it alone decides, and `allow_origins` is not looked at. */
  allow_origin_regex: string | null;
  /** `["*"]`: every method. */
  allow_methods: string[];
  /** `["*"]`: every header that is asked for. */
  allow_headers: string[];
  allow_credentials: boolean;
  expose_headers: string[];
  /** Seconds. */
  max_age: number;
}
