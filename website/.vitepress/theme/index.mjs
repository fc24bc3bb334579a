import theme from 'vitepress/theme';
import './style.js';

export default theme;
